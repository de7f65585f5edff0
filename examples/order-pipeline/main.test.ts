import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { stateDirectoryOf } from './run/state-directory.ts';

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  /** Resolves when the output matches. */
  shows(pattern: RegExp): Promise<void>;
}

const database = inject('databaseUrl');

/** As `npm start -- …` does it, on the server of the tests. */
const start = (...options: string[]): Run => {
  const words = [join(import.meta.dirname, 'main.ts'), '--database', database, ...options];
  const child = spawn(process.execPath, ['--conditions=factline-source', ...words]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return {
    child,
    ended,
    // By the output itself, not by looking now and then: what follows must come soon after it.
    shows: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (pattern.test(out)) resolve();
        };
        child.stdout.on('data', look);
        look();
      }),
  };
};

afterAll(async () => {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query('drop database if exists order_pipeline with (force)').finally(() => client.end());
  await rm(stateDirectoryOf(database), { recursive: true, force: true });
});

describe('npm start', { timeout: 120_000 }, () => {
  it('says in one line what is wrong', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const [typed, missing, taken] = await Promise.all([
        start('--rate', 'fast').ended,
        start('--input', 'gone.csv').ended,
        start('--port', String(port)).ended,
      ]);
      expect(typed).toEqual({
        code: 2,
        out: '',
        err: expect.stringMatching(/^✕ --rate: .*\n\nnpm start -- --help shows the options\n$/),
      });
      expect(missing).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining('cannot read gone.csv'),
      });
      expect(taken).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^✕ .*--port N chooses another one\n$/),
      });
    } finally {
      other.close();
    }
  });

  it('survives the death of its workers: every order ends once, to the penny', async () => {
    const { ended } = start(...'--workers 2 --chaos --orders 60 --rate 6 --until-drained'.split(' '));
    const { code, out } = await ended;
    expect(out).toMatch(/worker \d killed \(kill -9\)/);
    expect(out).toMatch(/PARITY (\d+)\/\1/);
    expect(code).toBe(0);
  });

  it('stops at once at the second Ctrl-C, goes on with --keep, and at one Ctrl-C drains and counts', async () => {
    const first = start('--rate', '5', '--orders', '100');
    await first.shows(/order/i);
    first.child.kill('SIGINT');
    await first.shows(/draining \(\d+ in flight\)/);
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 130, out: expect.stringContaining('Nothing is lost') });
    const second = start('--keep', '--rate', '5', '--orders', '100');
    await second.shows(/order/i);
    second.child.kill('SIGINT');
    const { code, out } = await second.ended;
    expect(out).toMatch(/draining \(\d+ in flight\)/);
    expect(out).toMatch(/PARITY (\d+)\/\1/);
    expect(code).toBe(0);
  });
});
