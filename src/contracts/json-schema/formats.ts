import { type FormatName, fullFormats } from 'ajv-formats/dist/formats.js';

/** Texts of each format, for making values up. The formats themselves are those of Ajv, which judges witnesses. */
const samples: Readonly<Record<string, readonly string[]>> = {
  date: ['2026-01-31', '1999-12-01'],
  time: ['12:30:00Z', '23:59:59.5+02:00'],
  'date-time': ['2026-01-31T12:30:00Z', '1999-12-01T00:00:00.25+02:00'],
  'iso-time': ['12:30:00', '12:30:00Z'],
  'iso-date-time': ['2026-01-31T12:30:00', '2026-01-31 12:30:00Z'],
  duration: ['P1D', 'PT15M', 'P2W'],
  uri: ['https://example.org/a', 'urn:a:b'],
  'uri-reference': ['/a/b', 'a', 'https://example.org/'],
  'uri-template': ['/a/{b}', '/a'],
  url: ['https://example.org/a'],
  email: ['a@example.org', 'someone.else@example.com'],
  hostname: ['example.org', 'a'],
  ipv4: ['192.0.2.1', '10.0.0.1'],
  ipv6: ['2001:db8::1', '::1'],
  regex: ['a+', ''],
  uuid: ['01234567-89ab-4def-8123-456789abcdef', 'ffffffff-ffff-4fff-bfff-ffffffffffff'],
  'json-pointer': ['/a/b', ''],
  'json-pointer-uri-fragment': ['#/a/b', '#'],
  'relative-json-pointer': ['0', '1/a'],
  byte: ['YQ==', ''],
};

/** Formats of texts that Ajv checks; others are annotations to it. */
export const isCheckedFormat = (name: string): boolean => Object.hasOwn(samples, name);

export const formatSamples = (name: string): readonly string[] =>
  Object.hasOwn(samples, name) ? (samples[name] ?? []) : [];

export const hasFormat = (name: string, text: string): boolean => {
  if (!isCheckedFormat(name)) return true;
  const format: unknown = fullFormats[name as FormatName];
  if (format instanceof RegExp) return format.test(text);
  if (typeof format === 'function') return format(text) === true;
  const { validate } = format as { validate: RegExp | ((text: string) => boolean) };
  return validate instanceof RegExp ? validate.test(text) : validate(text);
};
