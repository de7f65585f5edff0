import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

let database: TestDatabase;
let project: Project;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  project = createProject('cli-process');
  project.write(
    'factline.config.ts',
    `import { createFactline, defineEvent, defineProjection } from 'factline'
     import { z } from 'zod'
     const Placed = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
     const orders = defineProjection({ name: 'orders', on: [Placed], primaryKey: 'orderId', columns: { orderId: 'text' }, evolve: (row) => row ?? {} })
     export const app = createFactline({ name: 'cli-process', consumers: [orders] })`,
  );
});
afterAll(async () => {
  project.remove();
  await database.drop();
});

const main = path.resolve('src/cli/main.ts');

interface Child {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  /** Resolves when the output matches. */
  shows(pattern: RegExp): Promise<void>;
}

const start = (words: readonly string[], environment: Record<string, string> = {}): Child => {
  const { NO_COLOR, FORCE_COLOR, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--conditions=factline-source', main, ...words], {
    cwd: project.directory,
    env: { ...inherited, DATABASE_URL: database.url, ...environment },
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return {
    child,
    ended,
    shows: (pattern) => expect.poll(() => out + err, { timeout: 15_000 }).toMatch(pattern),
  };
};

describe('the command as a process', () => {
  it('ends with the documented exit code, and leaves standard output clean when it fails', async () => {
    const [version, unknown, down] = await Promise.all([
      start(['--version']).ended,
      start(['statsu']).ended,
      start(['status', '--database', 'postgres://postgres@127.0.0.1:1/x']).ended,
    ]);
    expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(unknown).toMatchObject({ code: 2, out: '' });
    expect(down).toMatchObject({ code: 3, out: '' });
  });

  it('writes no colour to a pipe, and some when it is asked to', async () => {
    const [plain, coloured] = await Promise.all([
      start(['status', '--help']).ended,
      start(['status', '--help'], { FORCE_COLOR: '1' }).ended,
    ]);
    expect(plain.out).not.toContain('\u001b[');
    expect(coloured.out).toContain('\u001b[1m');
  });

  it('start drains and ends with 0 at SIGTERM, and gives its lanes back', async () => {
    const { child, ended, shows } = start(['start', '--port', '0', '--host', '127.0.0.1']);
    await shows(/cli-process runs 1 consumer/);
    child.kill('SIGTERM');
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(out).toContain('lane.released');
    expect(out).toContain('process.left');
  });

  it('dev shows the verdicts, as plain lines in a pipe, until Ctrl-C', async () => {
    const { child, ended, shows } = start(['dev', '--port', '0']);
    await shows(/1 of 1 promise kept/);
    await shows(/orders +projection +OK/);
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
  });

  it('ends quietly when whoever reads its output has seen enough', async () => {
    const { child, ended } = start(['--help']);
    child.stdout?.destroy();
    expect((await ended).code).toBe(0);
    const failing = start(['statsu']);
    failing.child.stderr?.destroy();
    expect((await failing.ended).code).toBe(0);
  });

  it('start does not take a handler that exits the process with 0 for one that has handled its event', {
    timeout: 120_000,
  }, async () => {
    const own = await createTestDatabase({ migrated: true });
    const pool = new pg.Pool({ connectionString: own.url });
    project.write(
      'exiting.ts',
      `import { createFactline, defineEvent, defineHandler } from 'factline'
       import { z } from 'zod'
       const Placed = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
       const pay = defineHandler({ name: 'pay', on: Placed, handle: async () => process.exit(0) })
       export const app = createFactline({ name: 'exiting', consumers: [pay] })`,
    );
    const begin = (): Child =>
      start(['start', '--no-server', '--app', 'exiting.ts'], { DATABASE_URL: own.url });
    try {
      const first = begin();
      await first.shows(/exiting runs 1 consumer/);
      await pool.query(
        `insert into factline.events (id, type, source, key, key_hash, data, meta, time) values (gen_random_uuid(),
         'shop.order.placed.v1', 'exiting', 'orderId=A', 7, '{"orderId": "A"}', '{"correlationId": "c"}', now())`,
      );
      expect((await first.ended).code).toBe(0);
      // Its successor writes down that it begins with what may have been deadly, before it does.
      expect((await begin().ended).code).toBe(0);
      const { rows } = await pool.query(
        'select p.key, e.killed_attempts::int as killed from factline.parked p join factline.parked_events e using (consumer_id, position)',
      );
      expect(rows).toEqual([{ key: 'orderId=A', killed: 1 }]);
      expect((await pool.query('select from factline.inbox')).rowCount).toBe(0);
    } finally {
      await pool.end();
      await own.drop();
    }
  });
});
