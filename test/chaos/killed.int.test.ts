import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { chaosServer } from './chaos-server.ts';
import { runChaos } from './run.ts';

/** The short form of `npm run chaos`, on a server of its own: one of its processes is killed, and it restarts. */
const directory = fileURLToPath(new URL(`../../.factline/chaos-${process.pid}/`, import.meta.url));
let server: EmbeddedServer;

beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  server = await startEmbedded({ directory, settings: chaosServer });
});

afterAll(() => removeEmbedded(directory));

test('workflows end once, in their right state, while workers and the server are killed', {
  timeout: 300_000,
}, async () => {
  const report = await runChaos({
    database: server.url,
    workflows: 80,
    workers: 2,
    seed: 7,
    killEveryMs: 3_000,
    restartEveryMs: 3_000,
    freezeEveryMs: 3_000,
    robEveryMs: 1_500,
    calmAfterMs: 6_000,
    withinMs: 240_000,
  });
  expect(report.findings).toEqual([]);
  expect(report.ok).toBe(true);
  expect(report.workflows).toBeGreaterThanOrEqual(80);
  expect(Math.min(report.kills, report.restarts, report.frozen, report.robbed)).toBeGreaterThan(0);
});
