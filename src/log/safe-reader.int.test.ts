import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { insertAtText, insertIntoLeafText, insertText, mergeText, Writer } from '../../test/log/writing.ts';
import { createTelemetry, FactlineError, systemClock } from '../foundation/index.ts';
import { createDatabase, type Database, loadQueries } from '../postgres/index.ts';
import { RecentRows } from './recent-rows.ts';
import { Recount } from './recount.ts';
import { type PassOutcome, SafeReader } from './safe-reader.ts';
import type { HolderRule } from './start-checks.ts';
import { TailSession } from './tail-session.ts';

const readTail = loadQueries<'read_tail'>(new URL('./tail.sql', import.meta.url)).read_tail;

/*
 * Exact interleavings on the real server. The reader's passes are called one by one, so "is held back" needs no waiting:
 * a pass that looked at the holders and delivered nothing would deliver nothing a minute later either.
 */
let testDatabase: TestDatabase;
let database: Database;
const writers: Writer[] = [];

/** A reader that begins at the present end of the log; positions are told relative to it. */
class Reading {
  readonly rows = new RecentRows(0);
  readonly delivered: number[] = [];
  base = 0;
  readonly session = new TailSession(database, systemClock);
  readonly reader: SafeReader;

  constructor() {
    const telemetry = createTelemetry();
    const recount = new Recount({ database, clock: systemClock, telemetry });
    this.reader = new SafeReader({ session: this.session, database, rows: this.rows, recount });
  }

  async begin(rule: HolderRule): Promise<void> {
    await this.session.open();
    await this.reader.begin(rule);
    this.base = this.reader.settled;
  }

  async pass(wanted: { rowsWanted?: boolean; endWanted?: boolean } = {}): Promise<PassOutcome> {
    const outcome = await this.reader.pass({ rowsWanted: true, endWanted: true, ...wanted });
    const after = this.delivered.at(-1) ?? 0;
    const { events } = this.rows.take(Math.max(after + this.base, this.rows.from), 100_000, { types: 'all' });
    this.delivered.push(...events.map((event) => event.position - this.base));
    return outcome;
  }

  /** All that can be delivered now. Two passes: the floors of the first look are those of the second. */
  async all(): Promise<number[]> {
    do await this.pass();
    while ((await this.pass()).more);
    return this.delivered;
  }

  get settled(): number {
    return this.reader.settled - this.base;
  }
}

let reading: Reading;
let other: Reading | null = null;

const writer = async (): Promise<Writer> => {
  const made = await Writer.connect(testDatabase.url);
  writers.push(made);
  return made;
};

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'safe-reader' });
});

afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});

beforeEach(() => {
  reading = new Reading();
});

afterEach(async () => {
  await reading.session.close();
  await other?.session.close();
  other = null;
  for (const each of writers.splice(0)) await each.close();
});

describe.each<HolderRule>(['both-locks', 'sequence-only'])('under the rule %s', (rule) => {
  beforeEach(() => reading.begin(rule));

  test('a later position that commits first waits for the earlier one (marten#4952, emmett#336)', async () => {
    const [slow, quick] = [await writer(), await writer()];
    await slow.open();
    await quick.insert();
    expect(await reading.all()).toEqual([]);
    expect(await reading.pass()).toMatchObject({ unfinished: true, gap: reading.base + 1 });
    await slow.sql('commit');
    expect(await reading.all()).toEqual([1, 2]);
  });

  test('a hole left by a rollback is passed in one pass', async () => {
    const [undone, done] = [await writer(), await writer()];
    await done.insert();
    await undone.open(3);
    await undone.sql('rollback');
    await done.insert();
    await reading.pass();
    expect(reading.delivered).toEqual([1, 5]);
  });

  test('a hole right at the mark, before any visible row, is passed (marten#4964)', async () => {
    const [undone, done] = [await writer(), await writer()];
    await undone.open();
    await done.insert();
    expect(await reading.all()).toEqual([]);
    await undone.sql('rollback');
    expect(await reading.all()).toEqual([2]);
  });

  test('positions rolled back at the very end are settled, under a mark that is stored first', async () => {
    const undone = await writer();
    await undone.open(4);
    await undone.sql('rollback');
    await reading.all();
    expect(reading.settled).toBe(4);
    const [mark] = await undone.sql('select settled::int as settled from factline.log_mark');
    expect(mark?.['settled']).toBe(reading.reader.settled);
  });

  test('the very end is left alone unless somebody wants it', async () => {
    const undone = await writer();
    await undone.open();
    await undone.sql('rollback');
    expect(await reading.pass({ endWanted: false })).toMatchObject({ unfinished: true, gap: null });
    expect(reading.settled).toBe(0);
  });

  test('an insert before the savepoint keeps the hole of a rolled back savepoint open until the end', async () => {
    const [one, two] = [await writer(), await writer()];
    await one.open();
    await one.sql('savepoint s');
    await one.insert();
    await one.sql('rollback to savepoint s');
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await one.sql('commit');
    expect(await reading.all()).toEqual([1, 3]);
  });

  test('a released savepoint keeps its locks', async () => {
    const [one, two] = [await writer(), await writer()];
    await one.sql('begin');
    await one.sql('savepoint s');
    await one.insert();
    await one.sql('release savepoint s');
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await one.sql('commit');
    expect(await reading.all()).toEqual([1, 2]);
  });

  test('a prepared transaction is waited for without a process, and delivered in order', async () => {
    const [one, two] = [await writer(), await writer()];
    const gid = `gid_${rule}`;
    await one.open();
    await one.sql(`prepare transaction '${gid}'`);
    await one.close();
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await two.sql(`commit prepared '${gid}'`);
    expect(await reading.all()).toEqual([1, 2]);
  });

  test('a prepared transaction keeps its floor when it is prepared between two looks', async () => {
    const [one, two] = [await writer(), await writer()];
    await one.open();
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await one.sql("prepare transaction 'between'");
    expect(await reading.all()).toEqual([]);
    await two.sql("rollback prepared 'between'");
    expect(await reading.all()).toEqual([2]);
  });

  test('a stranger idle in a transaction that never touched the log is not waited for (marten#5108)', async () => {
    const [stranger, undone, done] = [await writer(), await writer(), await writer()];
    await stranger.sql('begin isolation level repeatable read');
    await stranger.sql('create temporary table t (n int)');
    await stranger.sql('select count(*) from factline.events');
    await stranger.sql('select pg_current_xact_id()');
    await undone.open();
    await undone.sql('rollback');
    await done.insert();
    expect(await reading.all()).toEqual([2]);
    await stranger.sql('rollback');
  });

  test('who only deletes, updates, locks rows or explains is not waited for', async () => {
    const [stranger, undone, done] = [await writer(), await writer(), await writer()];
    await stranger.sql('begin');
    await stranger.sql('delete from factline.events where position < 0');
    await stranger.sql("update factline.events set class = 'standard' where position < 0");
    await stranger.sql('select from factline.events where position < 0 for update');
    await stranger.sql(`explain ${insertText()}`);
    await undone.open();
    await undone.sql('rollback');
    await done.insert();
    expect(await reading.all()).toEqual([2]);
    await stranger.sql('rollback');
  });

  test('a publisher in another database of the same server is not waited for', async () => {
    const elsewhere = await createTestDatabase({ migrated: true });
    const stranger = await Writer.connect(elsewhere.url);
    await stranger.open();
    const [undone, done] = [await writer(), await writer()];
    await undone.open();
    await undone.sql('rollback');
    await done.insert();
    expect(await reading.all()).toEqual([2]);
    await stranger.close();
    await elsewhere.drop();
  });

  test('an insert straight into a partition is waited for', async () => {
    const [one, two] = [await writer(), await writer()];
    await one.sql('begin');
    await one.sql(insertIntoLeafText('events_p0'));
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await one.sql('commit');
    expect(await reading.all()).toEqual([1, 2]);
  });

  test.each([
    ['MERGE', mergeText],
    ['a CTE', `with i as (${insertText()}) select * from i`],
    ['EXECUTE of a prepared statement', `prepare p as ${insertText()}; execute p`],
    ['LOCK TABLE before the insert', `lock table factline.events in exclusive mode; ${insertText()}`],
    ['a DO block', `do $$ begin perform 1; ${insertText().replace('returning position', '')}; end $$`],
  ])('%s is waited for', async (_name, text) => {
    const [one, two] = [await writer(), await writer()];
    await one.sql('begin');
    await one.sql(text);
    if (text.startsWith('lock')) {
      expect(await reading.all()).toEqual([]);
      await one.sql('commit');
      expect(await reading.all()).toEqual([1]);
      return;
    }
    await two.insert();
    expect(await reading.all()).toEqual([]);
    await one.sql('commit');
    expect(await reading.all()).toEqual([1, 2]);
  });

  test('a transaction that failed and is idle holds nothing up, although it has not ended', async () => {
    const [failed, done] = [await writer(), await writer()];
    await failed.open();
    await expect(failed.sql('select 1 / 0')).rejects.toThrow();
    await done.insert();
    expect(await reading.all()).toEqual([2]);
  });

  test('a publisher whose backend is killed leaves a hole that is passed', async () => {
    const [killed, done] = [await writer(), await writer()];
    await killed.open();
    await done.insert();
    const pid = await killed.processId();
    expect(await reading.all()).toEqual([]);
    await done.sql('select pg_terminate_backend($1, 5000)', [pid]);
    expect(await reading.all()).toEqual([2]);
  });

  test('publishers of every isolation level are delivered', async () => {
    for (const level of ['read committed', 'repeatable read', 'serializable']) {
      const [one, two] = [await writer(), await writer()];
      await one.sql(`begin isolation level ${level}`);
      await one.insert();
      await two.insert();
      await reading.all();
      await one.sql('commit');
    }
    expect(await reading.all()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('who began to publish after a hole was seen does not keep it open', async () => {
    const [undone, done, late] = [await writer(), await writer(), await writer()];
    await undone.open();
    await done.insert();
    expect(await reading.all()).toEqual([]);
    await late.open();
    await undone.sql('rollback');
    expect(await reading.all()).toEqual([2]);
    await late.sql('commit');
    expect(await reading.all()).toEqual([2, 3]);
  });

  test('publishers that overlap without end starve nobody', async () => {
    let open = await writer();
    await open.open();
    for (let round = 0; round < 10; round += 1) {
      const next = await writer();
      await next.open();
      await reading.pass();
      await open.sql(round % 3 === 0 ? 'rollback' : 'commit');
      await reading.pass();
      open = next;
    }
    expect(reading.settled).toBeGreaterThanOrEqual(9);
    await open.sql('commit');
    expect(await reading.all()).toEqual([2, 3, 5, 6, 8, 9, 11]);
  });

  test('a reader that starts behind a dead hole passes it by the stored mark, although a publisher is open', async () => {
    const [undone, done, slow] = [await writer(), await writer(), await writer()];
    await undone.open();
    await undone.sql('rollback');
    await done.insert();
    await reading.all();
    await reading.reader.storeMark();
    await slow.open();
    await done.insert();
    other = new Reading();
    await other.begin(rule);
    expect(other.base).toBe(reading.base + 2);
    expect(await other.all()).toEqual([]);
    await slow.sql('commit');
    expect(await other.all()).toEqual([1, 2]);
  });

  test('after a reconnect everybody is waited for again who holds the locks', async () => {
    const [undone, done, late] = [await writer(), await writer(), await writer()];
    await undone.open();
    await done.insert();
    expect(await reading.all()).toEqual([]);
    await late.open();
    expect(await reading.all()).toEqual([]);
    await reading.session.close();
    await reading.session.open();
    await reading.reader.begin(rule);
    await undone.sql('rollback');
    expect(await reading.all()).toEqual([]);
    await late.sql('commit');
    expect(await reading.all()).toEqual([2, 3]);
  });

  test('a backlog is settled by one look, without being read, when nobody wants its rows', async () => {
    const [done, undone] = [await writer(), await writer()];
    await done.insert(3000);
    await undone.open();
    await undone.sql('rollback');
    await done.insert(3000);
    const outcome = await reading.pass({ rowsWanted: false });
    expect(outcome.delivered).toBeLessThanOrEqual(125);
    expect(reading.settled).toBe(6001);
  });

  test('a backlog with an open publisher in its middle is settled up to there', async () => {
    const [done, slow] = [await writer(), await writer()];
    await done.insert(1000);
    await slow.open();
    await done.insert(1000);
    while ((await reading.pass({ rowsWanted: false })).more);
    await reading.all();
    expect(reading.settled).toBe(1000);
    await slow.sql('commit');
    await reading.all();
    expect(reading.settled).toBe(2001);
  });

  test('the jump of the sequence after a crash of the server is passed', async () => {
    const done = await writer();
    await done.insert();
    await done.sql("select setval('factline.events_position_seq', $1::bigint)", [reading.base + 33]);
    await done.insert();
    expect(await reading.all()).toEqual([1, 34]);
  });

  test('a row right beyond the sequence is held back, too, until the sequence has passed it', async () => {
    const owner = await writer();
    await owner.insert();
    await owner.sql(insertAtText(reading.base + 2));
    expect(await reading.all()).toEqual([1]);
    expect(await reading.pass()).toMatchObject({ unfinished: true, gap: reading.base + 2 });
    await expect(owner.insert()).rejects.toThrow(/duplicate key/);
    await owner.insert();
    expect(await reading.all()).toEqual([1, 2, 3]);
  });

  test('the tails of other processes, which read the end all the time, are not taken for publishers', async () => {
    const [undone, done, held] = [await writer(), await writer(), await writer()];
    await held.sql('begin');
    await held.sql(readTail.text, [0, 10]);
    await undone.open();
    await undone.sql('rollback');
    await done.insert();
    expect(await reading.all()).toEqual([2]);
    await held.sql('rollback');
  });

  test('one row with a far too high position stalls the tail before it, and goes on after setval', async () => {
    const [owner, done] = [await writer(), await writer()];
    await done.insert();
    await owner.sql(insertAtText(reading.base + 5000));
    await done.insert();
    expect(await reading.all()).toEqual([1, 2]);
    await done.insert();
    expect(await reading.all()).toEqual([1, 2, 3]);
    expect(await reading.pass()).toMatchObject({ unfinished: true, gap: reading.base + 4 });
    await owner.sql("select setval('factline.events_position_seq', $1::bigint)", [reading.base + 5000]);
    await done.insert();
    expect(await reading.all()).toEqual([1, 2, 3, 5000, 5001]);
  });
});

test('a savepoint rolled back is passed at once by both locks, and waited for by the sequence alone', async () => {
  await reading.begin('both-locks');
  other = new Reading();
  await other.begin('sequence-only');
  const [one, two] = [await writer(), await writer()];
  await one.sql('begin');
  await one.sql('savepoint s');
  await one.insert();
  await one.sql('rollback to savepoint s');
  await two.insert();
  expect(await reading.all()).toEqual([2]);
  expect(await other.all()).toEqual([]);
  await one.sql('commit');
  expect(await other.all()).toEqual([2]);
});

test('who looked at pg_sequences in an open transaction is waited for by the sequence alone', async () => {
  await reading.begin('both-locks');
  other = new Reading();
  await other.begin('sequence-only');
  const [monitor, undone, done] = [await writer(), await writer(), await writer()];
  await undone.open();
  await monitor.sql('begin');
  await monitor.sql("select last_value from pg_sequences where schemaname = 'factline'");
  await undone.sql('rollback');
  await done.insert();
  expect(await reading.all()).toEqual([2]);
  expect(await other.all()).toEqual([]);
  await monitor.sql('commit');
  expect(await other.all()).toEqual([2]);
});

test('a separate nextval before the insert is safe only by the sequence alone: why both locks need verified grants', async () => {
  await reading.begin('both-locks');
  other = new Reading();
  await other.begin('sequence-only');
  const [separate, done] = [await writer(), await writer()];
  await separate.sql('begin');
  const [taken] = await separate.sql("select nextval('factline.events_position_seq') as position");
  await done.insert();
  expect(await reading.all()).toEqual([2]);
  expect(await other.all()).toEqual([]);
  await separate.sql(insertAtText(Number(taken?.['position'])));
  await separate.sql('commit');
  expect(await reading.all()).toEqual([2]);
  expect(await other.all()).toEqual([1, 2]);
});

test('events are delivered across the border of two partitions', async () => {
  await reading.begin('sequence-only');
  const [done, slow] = [await writer(), await writer()];
  const border = (Math.floor(reading.reader.head / 10_000_000) + 1) * 10_000_000;
  await done.sql("select setval('factline.events_position_seq', $1::bigint)", [border - 3]);
  await slow.open(2);
  await done.insert(3);
  expect(await reading.all()).toEqual([]);
  await slow.sql('commit');
  expect(await reading.all()).toEqual([-2, -1, 0, 1, 2].map((n) => border + n - reading.base));
});

test('a sequence that begins anew is an alarm, not silence (RESTART IDENTITY, a restore)', async () => {
  const done = await writer();
  await done.insert(5);
  await reading.begin('sequence-only');
  await done.sql('truncate factline.events restart identity');
  await done.insert();
  await expect(reading.pass()).rejects.toSatisfy((error) => FactlineError.is(error, 'LOG_WENT_BACKWARDS'));
  other = new Reading();
  await expect(other.begin('sequence-only')).rejects.toSatisfy((error) =>
    FactlineError.is(error, 'LOG_WENT_BACKWARDS'),
  );
});
