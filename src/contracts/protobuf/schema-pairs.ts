import type {
  ProtobufEnum,
  ProtobufExtension,
  ProtobufField,
  ProtobufFile,
  ProtobufMessage,
  ProtobufMethod,
  ProtobufSchema,
  ProtobufService,
} from './protobuf-schema.ts';

/** The same thing before and after. */
export interface Pair<Thing> {
  readonly old: Thing;
  readonly new: Thing;
}

/** Two versions side by side: what is in both. Fields belong together by number, everything else by name. */
export interface SchemaPairs extends Pair<ProtobufSchema> {
  readonly files: readonly Pair<ProtobufFile>[];
  readonly messages: readonly Pair<ProtobufMessage>[];
  /** Of messages and of extensions. */
  readonly fields: readonly Pair<ProtobufField>[];
  readonly extensions: readonly Pair<ProtobufExtension>[];
  readonly enums: readonly Pair<ProtobufEnum>[];
  readonly services: readonly Pair<ProtobufService>[];
  readonly methods: readonly Pair<ProtobufMethod>[];
}

export const pairsOf = (old: ProtobufSchema, after: ProtobufSchema): SchemaPairs => {
  const messages = inBoth(old.messages, after.messages);
  const services = inBoth(old.services, after.services);
  const extensions = inBoth(byNumber(old.extensions), byNumber(after.extensions));
  return {
    old,
    new: after,
    files: inBoth(old.files, after.files),
    messages,
    fields: [
      ...messages.flatMap((pair) => inBoth(pair.old.fields, pair.new.fields)),
      ...extensions.map((pair) => ({ old: pair.old.field, new: pair.new.field })),
    ],
    extensions,
    enums: inBoth(old.enums, after.enums),
    services,
    methods: services.flatMap((pair) => inBoth(pair.old.methods, pair.new.methods)),
  };
};

const inBoth = <Key, Thing>(
  old: ReadonlyMap<Key, Thing>,
  after: ReadonlyMap<Key, Thing>,
): readonly Pair<Thing>[] =>
  [...old].flatMap(([key, thing]) => {
    const counterpart = after.get(key);
    return counterpart === undefined ? [] : [{ old: thing, new: counterpart }];
  });

const byNumber = (extensions: ReadonlyMap<string, ProtobufExtension>): Map<string, ProtobufExtension> =>
  new Map([...extensions.values()].map((each) => [`${each.extendee} ${each.field.number}`, each]));
