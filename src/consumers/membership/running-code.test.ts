import { expect, test } from 'vitest';
import { z } from 'zod';
import { contractSchemas, defineEvent, defineUpcaster, schemaDigest } from '../../contracts/index.ts';
import { withUpcasters } from '../definition.ts';
import { defineHandler } from '../operational/index.ts';
import { runningCode } from './running-code.ts';

const V1 = defineEvent({ type: 'test.thing.made.v1', key: 'id', schema: z.object({ id: z.string() }) });
const V2 = defineEvent({
  type: 'test.thing.made.v2',
  key: 'id',
  schema: z.object({ id: z.string(), n: z.int() }),
});
const Opaque = defineEvent({
  type: 'test.secret.kept.v1',
  key: 'id',
  schema: z.object({ id: z.string(), anything: z.custom<string>(() => true) }),
});
const handle = async (): Promise<void> => {};
const toV2 = defineUpcaster(V1, V2, (data) => ({ ...data, n: 0 }));

test('what a process runs: consumers with all types they read, and the digest of every contract', () => {
  const mail = withUpcasters(defineHandler({ name: 'mail', on: V2, reads: ['n'], handle }), [toV2]);
  const audit = defineHandler({ name: 'audit', on: V1, handle });
  const code = runningCode([mail, audit], [V1, V2, Opaque]);
  expect(code).toEqual({
    consumers: {
      mail: { class: 'operational', types: [V1.type, V2.type], reads: { [V2.type]: ['n'] } },
      audit: { class: 'operational', types: [V1.type], reads: null },
    },
    contracts: {
      [V1.type]: schemaDigest(contractSchemas(V1)),
      [V2.type]: schemaDigest(contractSchemas(V2)),
      [Opaque.type]: null,
    },
  });
});
