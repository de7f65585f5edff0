/** The subpath `factline/avro`: an Avro schema as the schema of a contract. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Json } from '../../foundation/index.ts';
import { readAvro } from '../avro/read-avro.ts';
import { AvroPayload } from './avro-payload.ts';
import { fileSchema, readJsonSource } from './file-schema.ts';

/**
 * An Avro schema as the schema of a contract: the parsed schema, or the URL of its `.avsc` file. The payload in the log is
 * JSON: bytes and fixed as text of the characters U+0000 to U+00FF, a union's value plain, or as `{ "shop.Card": … }` where
 * two branches could be meant. Members that the schema lacks are dropped, and defaults are filled in.
 * @example
 * const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId',
 *   schema: avroSchema<{ orderId: string; pence: number }>(new URL('./order-placed.avsc', import.meta.url)) })
 * @throws FactlineError SCHEMA_INVALID
 */
export const avroSchema = <T = never>(source: URL | object): StandardSchemaV1<T, T> => {
  const schema = readJsonSource('avro', source) as Json;
  const type = readAvro(schema, 'declared');
  return fileSchema<T>({ format: 'avro', output: schema, input: schema }, (payload) => {
    const reading = new AvroPayload();
    const value = reading.read(type, payload, []);
    return reading.faults.length > 0 ? { faults: reading.faults } : { value };
  });
};
