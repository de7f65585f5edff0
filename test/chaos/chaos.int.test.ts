import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { auditChaos, type ChaosFacts } from './audit.ts';
import { runChaos } from './run.ts';

let folder: string;
let server: EmbeddedServer;

beforeAll(async () => {
  const parent = fileURLToPath(new URL('../../.factline/', import.meta.url));
  folder = mkdtempSync(path.join(parent, `chaos-${process.pid}-`));
  server = await startEmbedded({
    directory: folder,
    settings: { max_connections: '150', restart_after_crash: 'on' },
  });
});
afterAll(() => removeEmbedded(folder));

test('workflows end once and in their right state while workers and the server are killed', {
  timeout: 180_000,
}, async () => {
  const report = await runChaos({
    database: server.url,
    workflows: 40,
    workers: 2,
    seed: 20_261_121,
    killEveryMs: 5_000,
    restartEveryMs: 8_000,
    calmAfterMs: 12_000,
    withinMs: 150_000,
  });
  expect(report.findings).toEqual([]);
  expect(report.ok).toBe(true);
  expect(report.kills).toBeGreaterThan(0);
  expect(report.restarts).toBeGreaterThan(0);
});

describe('the audit sees', () => {
  const right: ChaosFacts = {
    workflows: 1,
    instances: [
      {
        orderId: 'order-0',
        state: 'completed',
        result: 'confirmed',
        steps: ['reserve done', 'book done', 'charge done', 'pack done', 'ship done'],
      },
    ],
    bookings: new Map([['order-0', 1]]),
    ended: new Map([['order-0', 1]]),
    outside: Object.fromEntries(
      ['reserve', 'charge', 'pack', 'ship'].map((name) => [`order-0 ${name}`, { keys: [name], calls: 2 }]),
    ),
    parked: 0,
  };
  const [instance] = right.instances;
  if (instance === undefined) throw new Error('there is one');

  test.each<[string, Partial<ChaosFacts>, string]>([
    ['an instance that is missing', { instances: [] }, '0 instances'],
    ['an order with two instances', { instances: [instance, instance] }, '2 instances'],
    ['a wrong end', { instances: [{ ...instance, state: 'failed' }] }, 'state'],
    ['a wrong result', { instances: [{ ...instance, result: 'nobody confirms' }] }, 'result'],
    ['a step that is not recorded', { instances: [{ ...instance, steps: ['reserve done'] }] }, 'steps'],
    ['a booking too many', { bookings: new Map([['order-0', 2]]) }, 'bookings'],
    ['an event too many', { ended: new Map([['order-0', 2]]) }, 'ended'],
    ['a call that is missing', { outside: {} }, 'outside'],
    [
      'a call under two keys',
      { outside: { ...right.outside, 'order-0 ship': { keys: ['a', 'b'], calls: 2 } } },
      '2 idempotency keys',
    ],
    [
      'what was taken back without reason',
      { outside: { ...right.outside, 'order-0 undo book': { keys: ['a'], calls: 1 } } },
      'undo book',
    ],
    ['events that are parked', { parked: 1 }, 'parked'],
  ])('%s', (_, wrong, text) => {
    expect(auditChaos(right)).toEqual([]);
    expect(auditChaos({ ...right, ...wrong }).join()).toContain(text);
  });
});
