import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ContractSet, defineEvent, manyContracts, openEnvelope, type StoredRow } from './index.ts';

const schema = z.object({ id: z.string(), language: z.string().default('en') });
const A = defineEvent({ type: 'test.a.made.v1', key: 'id', schema });
const B = defineEvent({ type: 'test.b.made.v1', key: 'id', schema });

const row = (type: string, data: unknown): StoredRow => ({
  position: 1,
  id: 'i',
  type,
  source: 's',
  key: 'id=x',
  data: JSON.stringify(data),
  meta: JSON.stringify({ subject: 'x', correlationId: 'i' }),
  time: '',
  recordedAt: '',
});

describe('a contract set', () => {
  test('holds one contract per type; the same one twice is no contradiction', () => {
    expect([...new ContractSet([A, B, A])]).toEqual([A, B]);
    const again = defineEvent({ type: 'test.a.made.v1', key: 'id', schema });
    expect(() => new ContractSet([A, again])).toThrowError(/test\.a\.made\.v1/);
  });

  test('knows its types', () => {
    const set = new ContractSet([A]);
    expect(set.types).toEqual(new Set(['test.a.made.v1']));
    expect([set.has(A.type), set.has(B.type)]).toEqual([true, false]);
  });

  test('refuses an event type that this code does not know', () => {
    expect(() => new ContractSet([A]).open(row('test.z.made.v1', {}))).toThrowError(
      expect.objectContaining({ code: 'EVENT_UNKNOWN_TYPE' }),
    );
  });

  test('refuses a payload that is newer than the code, with the path', () => {
    const newer = row(A.type, { id: 'x', language: { tag: 'en' } });
    expect(() => new ContractSet([A]).open(newer)).toThrowError(
      expect.objectContaining({ code: 'PAYLOAD_INVALID', message: expect.stringContaining('language') }),
    );
  });

  test('reads a payload that is older than the code with the defaults, and keeps the rest of the event', () => {
    const set = new ContractSet([A]);
    expect(set.open(row(A.type, { id: 'x' }))).toEqual({
      ...openEnvelope(row(A.type, {})),
      data: { id: 'x', language: 'en' },
    });
    expect(set.open(row(A.type, { id: 'x', future: true })).data).toEqual({ id: 'x', language: 'en' });
  });
});

describe('many contracts', () => {
  test('are given as one, an array, or a module that exports other things too', () => {
    expect(manyContracts(A)).toEqual([A]);
    expect(manyContracts([A, B])).toEqual([A, B]);
    expect(manyContracts({ A, B, limit: 5, helper: () => 1 })).toEqual([A, B]);
  });

  test('in an array must all be contracts', () => {
    expect(() => manyContracts([A, 'test.b.made.v1'] as never)).toThrowError(/defineEvent/);
  });
});
