import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { type LossyProxy, startLossyProxy } from '../../test/lossy-proxy.ts';
import { createDatabase, type Database } from './database.ts';
import { transaction } from './transaction.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, applicationName: 'test' });
  await database.operations.query('create table notes (text text primary key)');
});
afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});
beforeEach(async () => {
  await database.operations.query('truncate notes');
});

const notes = async (): Promise<string[]> =>
  (await database.operations.query<{ text: string }>('select text from notes order by text')).rows.map(
    ({ text }) => text,
  );

const last = { query: { name: 'test.last', text: "select pg_current_xact_id()::text, 'more'" }, values: [] };

describe('a transaction', () => {
  it('commits what the work wrote and answers its value and the last row', async () => {
    const result = await transaction(
      database.transactions,
      async (client) => {
        await client.query('insert into notes values ($1)', ['a']);
        return 7;
      },
      { last: () => last },
    );
    expect(result.value).toBe(7);
    expect(result.last).toEqual([expect.stringMatching(/^\d+$/), 'more']);
    expect(await notes()).toEqual(['a']);
  });

  it('rolls back and throws on what the work threw, and the connection stays usable', async () => {
    const failing = transaction(database.transactions, async (client) => {
      await client.query("insert into notes values ('a')");
      throw new RangeError('no');
    });
    await expect(failing).rejects.toThrow(RangeError);
    expect(await notes()).toEqual([]);
    await transaction(database.transactions, (client) => client.query("insert into notes values ('b')"));
    expect(await notes()).toEqual(['b']);
  });

  it('throws when an error was swallowed, because PostgreSQL answers COMMIT with ROLLBACK and no error', async () => {
    const swallowing = transaction(database.transactions, async (client) => {
      await client.query("insert into notes values ('a')");
      await client.query('select nothing from nowhere').catch(() => {});
    });
    await expect(swallowing).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK' });
    expect(await notes()).toEqual([]);
  });

  it('skips COMMIT when the last statement fails, although both were sent at once', async () => {
    const refused = { query: { name: 'test.refused', text: 'select 1 / $1::int' }, values: [0] };
    const failing = transaction(
      database.transactions,
      (client) => client.query("insert into notes values ('a')"),
      {
        last: () => refused,
      },
    );
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await notes()).toEqual([]);
  });

  it('can no longer commit once its signal has aborted, also when the work ends well', async () => {
    const abort = new AbortController();
    const late = transaction(
      database.transactions,
      async (client) => {
        await client.query("insert into notes values ('a')");
        abort.abort(new RangeError('too late'));
      },
      { signal: abort.signal },
    );
    await expect(late).rejects.toThrow('too late');
    expect(await notes()).toEqual([]);
  });

  it.each(['commit', '/* x */ rollback', { text: 'begin' }, { text: 'savepoint a', values: [] }])(
    'refuses %j with the remedy, and rolls back',
    async (statement) => {
      const refused = transaction(database.transactions, async (client) => {
        await client.query("insert into notes values ('a')");
        await client.query(statement as string);
      });
      await expect(refused).rejects.toMatchObject({
        code: 'TRANSACTION_STATEMENT_REFUSED',
        remedy: expect.stringContaining('savepoint'),
      });
      expect(await notes()).toEqual([]);
    },
  );

  it('lets the server refuse several statements in one text, so that none hides a COMMIT', async () => {
    const hidden = transaction(database.transactions, (client) =>
      client.query("insert into notes values ('a'); commit"),
    );
    await expect(hidden).rejects.toMatchObject({ code: '42601' });
    expect(await notes()).toEqual([]);
  });

  it('begins with its first statement, whatever kind that is', async () => {
    const inTransaction = 'select pg_current_xact_id_if_assigned() is not null as assigned';
    const first = [
      (client: pg.PoolClient) => client.query("insert into notes values ('plain')"),
      (client: pg.PoolClient) => client.query('insert into notes values ($1)', ['values']),
      (client: pg.PoolClient) => client.query({ text: 'insert into notes values ($1)', values: ['object'] }),
      (client: pg.PoolClient) =>
        client.query({ name: 'named', text: 'insert into notes values ($1)', values: ['named'] }),
      (client: pg.PoolClient) =>
        new Promise((resolve) => client.query("insert into notes values ('callback')", resolve)),
    ];
    for (const insert of first) {
      const undone = transaction(database.transactions, async (client) => {
        await insert(client);
        expect((await client.query(inTransaction)).rows).toEqual([{ assigned: true }]);
        throw new RangeError('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      expect(await notes()).toEqual([]);
    }
  });

  it('whose first statement fails rolls back, and the connection stays usable, also for that statement', async () => {
    const failing = { name: 'fails_once', text: 'select 1 / $1::int as result' };
    const one = createDatabase({
      url: testDatabase.url,
      applicationName: 'test',
      sizes: { transactions: 1 },
    });
    await expect(transaction(one.transactions, (client) => client.query('selec'))).rejects.toMatchObject({
      code: '42601',
    });
    await expect(
      transaction(one.transactions, (client) => client.query({ ...failing, values: [0] })),
    ).rejects.toMatchObject({ code: '22012' });
    const last = { query: { name: 'last_fails', text: 'select nothing from nowhere' }, values: [] };
    for (let run = 0; run < 2; run += 1) {
      await expect(transaction(one.transactions, async () => {}, { last: () => last })).rejects.toMatchObject(
        { code: '42P01' },
      );
    }
    const { value } = await transaction(one.transactions, (client) =>
      client.query({ ...failing, values: [1] }),
    );
    expect(value.rows).toEqual([{ result: 1 }]);
    await one.stop();
  });

  it('refuses to give back or to use the client after its end', async () => {
    let kept: pg.PoolClient | undefined;
    await transaction(database.transactions, async (client) => {
      kept = client;
      expect(() => client.release()).toThrow(
        expect.objectContaining({ code: 'TRANSACTION_STATEMENT_REFUSED' }),
      );
    });
    expect(() => kept?.query('select 1')).toThrow(expect.objectContaining({ code: 'TRANSACTION_CLOSED' }));
  });

  it('survives the loss of the connection in the middle, without crashing the process', async () => {
    const killed = transaction(database.transactions, async (client) => {
      await client.query("insert into notes values ('a')");
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      await database.operations.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await client.query("insert into notes values ('b')");
    });
    await expect(killed).rejects.toThrow();
    expect(await notes()).toEqual([]);
  });
});

describe('a COMMIT whose answer is lost', () => {
  let proxy: LossyProxy;
  let behindProxy: Database;
  let runs = 0;

  beforeAll(async () => {
    proxy = await startLossyProxy(testDatabase.url);
    // One connection: whoever asks what became of it needs the place of the one that was lost.
    behindProxy = createDatabase({
      url: proxy.url,
      applicationName: 'test lossy',
      sizes: { transactions: 1 },
    });
  });
  afterAll(async () => {
    await behindProxy.stop();
    await proxy.close();
  });

  const write = (
    how: Parameters<LossyProxy['loseNextCommit']>[0],
    findWork?: () => Promise<boolean | null>,
  ): Promise<unknown> => {
    proxy.loseNextCommit(how);
    runs = 0;
    return transaction(
      behindProxy.transactions,
      async (client) => {
        runs += 1;
        await client.query("insert into notes values ('a')");
      },
      { last: () => last, ...(findWork === undefined ? {} : { findWork }) },
    );
  };
  const noteIsThere = async (): Promise<boolean> => (await notes()).length > 0;

  it('resolves when the work is there, and has run the work once', async () => {
    await write('after the server has it', noteIsThere);
    expect(await notes()).toEqual(['a']);
    expect(runs).toBe(1);
  });

  it('throws COMMIT_ABORTED when the server never had it', async () => {
    await expect(write('before the server has it', noteIsThere)).rejects.toMatchObject({
      code: 'COMMIT_ABORTED',
    });
    expect(await notes()).toEqual([]);
    expect(runs).toBe(1);
  });

  it('is that of a statement that is a transaction by itself, too', async () => {
    const lone = {
      query: {
        name: 'lone_note',
        text: "insert into notes values ('lone') returning pg_current_xact_id()::text",
      },
      values: [],
    };
    const writeAlone = (how: Parameters<LossyProxy['loseNextCommit']>[0]): Promise<unknown> => {
      proxy.loseNextCommit(how, 'lone');
      return transaction(behindProxy.transactions, async () => {}, {
        last: () => lone,
        findWork: noteIsThere,
      });
    };
    await expect(writeAlone('before the server has it')).rejects.toMatchObject({ code: 'COMMIT_ABORTED' });
    expect(await notes()).toEqual([]);
    await writeAlone('after the server has it');
    expect(await notes()).toEqual(['lone']);
  });

  it('says that the outcome is unknown when there is nothing to look for', async () => {
    await expect(write('before the server has it')).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' });
    const since = performance.now();
    await expect(write('before the server has it', async () => null)).rejects.toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
    });
    // Not for the minute that a server may need to come back.
    expect(performance.now() - since).toBeLessThan(20_000);
  });
});

describe('a database that cannot be reached', () => {
  it('is explained with its address and what to do, without the password', async () => {
    const url = new URL(testDatabase.url);
    url.port = '1';
    const nowhere = createDatabase({ url: url.href, applicationName: 'test' });
    const error = await nowhere.operations.query('select 1').catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: expect.stringContaining('127.0.0.1:1'),
    });
    expect(JSON.stringify(error)).not.toContain(url.password);
    await nowhere.stop();
  });

  it('names the user when the password is wrong', async () => {
    const url = new URL(testDatabase.url);
    url.password = 'wrong';
    const refused = createDatabase({ url: url.href, applicationName: 'test' });
    await expect(refused.operations.query('select 1')).rejects.toMatchObject({
      code: 'DATABASE_AUTHENTICATION_FAILED',
    });
    await refused.stop();
  });
});
