import type { ProtobufOptions } from './protobuf-schema.ts';

/** What an edition lets a file choose, and the syntaxes before it had fixed. Names and values as Protobuf has them. */
export interface Features {
  readonly field_presence: 'EXPLICIT' | 'IMPLICIT' | 'LEGACY_REQUIRED';
  readonly enum_type: 'OPEN' | 'CLOSED';
  readonly utf8_validation: 'VERIFY' | 'NONE';
  readonly message_encoding: 'LENGTH_PREFIXED' | 'DELIMITED';
  readonly json_format: 'ALLOW' | 'LEGACY_BEST_EFFORT';
}

const proto2: Features = {
  field_presence: 'EXPLICIT',
  enum_type: 'CLOSED',
  utf8_validation: 'NONE',
  message_encoding: 'LENGTH_PREFIXED',
  json_format: 'LEGACY_BEST_EFFORT',
};

const proto3: Features = {
  ...proto2,
  field_presence: 'IMPLICIT',
  enum_type: 'OPEN',
  utf8_validation: 'VERIFY',
  json_format: 'ALLOW',
};

const editions: Features = { ...proto3, field_presence: 'EXPLICIT' };

export const defaultFeatures = { proto2, proto3, editions } as const;

/** The features of a definition, out of those around it and its own options. */
export const withFeatures = (around: Features, options: ProtobufOptions): Features => {
  const own = options['features'];
  if (typeof own !== 'object' || own === null) return around;
  const chosen = Object.entries(own).filter(([name]) => Object.hasOwn(around, name));
  return chosen.length === 0 ? around : { ...around, ...Object.fromEntries(chosen) };
};
