import type { Json } from '../../foundation/index.ts';
import type { CompareRequest } from './compare-request.ts';
import type { CompareDirection, Comparison } from './comparison.ts';
import type { Question } from './comparison-mode.ts';
import { draftNamed } from './draft-name.ts';
import { filesOf, jsonOf, type SchemaSource } from './schema-source.ts';

/** One format's comparer, with the request's options. */
export interface CompareEngine {
  /** @throws FactlineError SCHEMA_INVALID */
  compare(old: SchemaSource, after: SchemaSource, question: Question): Comparison;
  /** @throws FactlineError SCHEMA_INVALID */
  check(schema: SchemaSource): void;
}

/** Loads what the format needs: the libraries behind the comparers are larger than all the rest of Factline. */
export const loadEngine = async (request: CompareRequest): Promise<CompareEngine> => {
  switch (request.format) {
    case 'avro':
      return avroEngine(request);
    case 'protobuf':
      return protobufEngine();
    case 'json-schema':
      return jsonSchemaEngine(request);
  }
};

const jsonSchemaEngine = async ({ policy = 'strict', draft }: CompareRequest): Promise<CompareEngine> => {
  const { checkJsonSchema, JsonSchemaPair } = await import('../json-schema/compare-json-schema.ts');
  const options = { policy, draft: draft === undefined ? undefined : draftNamed(draft) };
  const parse = (source: SchemaSource): Json => jsonOf(source, 'json-schema');
  // Of the newest version both directions may be asked, one after the other.
  let latest: { old: SchemaSource; pair: InstanceType<typeof JsonSchemaPair> } | undefined;
  return {
    compare: (old, after, question) => {
      if (latest?.old !== old) {
        const pair = new JsonSchemaPair({
          old: parse(old),
          oldSide: old.side,
          new: parse(after),
          ...options,
        });
        latest = { old, pair };
      }
      return latest.pair.compare(directionOf(question));
    },
    check: (schema) => checkJsonSchema(parse(schema), options.draft, schema.side),
  };
};

const avroEngine = async ({ logicalTypes = true }: CompareRequest): Promise<CompareEngine> => {
  const { checkAvro, compareAvro } = await import('../avro/compare-avro.ts');
  return {
    compare: (old, after, question) =>
      compareAvro({
        old: jsonOf(old, 'avro'),
        new: jsonOf(after, 'avro'),
        direction: directionOf(question),
        logicalTypes,
      }),
    check: (schema) => checkAvro(jsonOf(schema, 'avro'), schema.side),
  };
};

const protobufEngine = async (): Promise<CompareEngine> => {
  const { compareProtobufSchemas } = await import('../protobuf/compare-protobuf.ts');
  const { readProtobuf } = await import('../protobuf/read-protobuf.ts');
  const known = new Map<SchemaSource, ReturnType<typeof readProtobuf>>();
  // Reading takes most of the time, and a schema is asked about more than once.
  const read = (source: SchemaSource): ReturnType<typeof readProtobuf> => {
    const schema = known.get(source) ?? readProtobuf(filesOf(source), source.side);
    known.set(source, schema);
    return schema;
  };
  return {
    compare: (old, after, question) => compareProtobufSchemas(read(old), read(after), question),
    check: (source) => void read(source),
  };
};

/** Only Protobuf has questions that are not a direction. */
const directionOf = (question: Question): CompareDirection =>
  question === 'forward' ? 'forward' : 'backward';
