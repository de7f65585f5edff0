import { setTimeout as sleep } from 'node:timers/promises';
import { insertAtText, insertIntoLeafText, mergeText, Writer } from '../log/writing.ts';
import { task, tell } from './messages.ts';
import { SeededRandomness } from './randomness.ts';

/*
 * One process of writers. Each connection repeats one of the deeds below: everything a reader must cope with.
 * It ends with the process; after an error (a killed backend, a crashed server) it connects again.
 */
const { url, seed, connections = 3, repertoire = 'everything' } = task();
const randomness = new SeededRandomness(seed);

type Deed = (writer: Writer) => Promise<void>;

/** Mostly short, now and then long enough that several others begin and end meanwhile. */
const hold = (): Promise<void> =>
  sleep(randomness.float() < 0.1 ? randomness.below(150) : randomness.below(8));

const acknowledge = (positions: readonly number[]): void => tell({ kind: 'acknowledged', positions });

const commit = async (writer: Writer, positions: readonly number[]): Promise<void> => {
  await writer.sql('commit');
  acknowledge(positions);
};

const some = (): number => 1 + randomness.below(3);

const quick: Deed = async (writer) => acknowledge(await writer.insert(some()));

const late: Deed = async (writer) => {
  const positions = await writer.open(some());
  await hold();
  positions.push(...(await writer.insert(some())));
  await commit(writer, positions);
};

const undone: Deed = async (writer) => {
  await writer.open(some());
  await hold();
  await writer.sql('rollback');
};

const savepoint: Deed = async (writer) => {
  const before = randomness.float() < 0.5;
  await writer.sql('begin');
  const positions = before ? await writer.insert() : [];
  await writer.sql('savepoint s');
  await writer.insert(some());
  await hold();
  await writer.sql('rollback to savepoint s');
  await hold();
  positions.push(...(await writer.insert()));
  await commit(writer, positions);
};

const failed: Deed = async (writer) => {
  await writer.open(some());
  await writer.sql('select 1 / 0').catch(() => undefined);
  await hold();
  await writer.sql('rollback');
};

/** Left prepared: the run's janitor ends it. */
const prepared: Deed = async (writer) => {
  await writer.open(some());
  await hold();
  await writer.sql(`prepare transaction 'stress_${process.pid}_${randomness.below(1e9)}'`);
};

const serializable: Deed = async (writer) => {
  await writer.sql('begin isolation level repeatable read');
  await writer.sql('select 1');
  await hold();
  const positions = await writer.insert(some());
  await hold();
  await commit(writer, positions);
};

const merge: Deed = async (writer) => {
  await writer.sql('begin');
  await writer.sql(mergeText);
  await hold();
  await writer.sql('commit');
};

const leaf: Deed = async (writer) => {
  await writer.sql('begin');
  const [row] = await writer.sql(insertIntoLeafText('events_p0'));
  await hold();
  await commit(writer, [Number(row?.['position'])]);
};

/** The hole that only the sequence-only rule closes: the position is taken by a statement of its own. */
const separateNextval: Deed = async (writer) => {
  await writer.sql('begin');
  const [taken] = await writer.sql("select nextval('factline.events_position_seq') as position");
  await hold();
  const position = Number(taken?.['position']);
  await writer.sql(insertAtText(position));
  await hold();
  await commit(writer, [position]);
};

/** Never touches the log, holds a transaction id and a snapshot for long. */
const stranger: Deed = async (writer) => {
  await writer.sql('begin isolation level repeatable read');
  await writer.sql('select pg_current_xact_id()');
  await sleep(100 + randomness.below(300));
  await writer.sql('rollback');
};

const deleter: Deed = async (writer) => {
  await writer.sql('begin');
  await writer.sql('delete from factline.events where position < 0');
  await hold();
  await writer.sql('commit');
};

const monitor: Deed = async (writer) => {
  await writer.sql('begin');
  await writer.sql('select * from pg_sequences');
  await hold();
  await writer.sql('commit');
};

const shared: readonly Deed[] = [
  quick,
  quick,
  quick,
  late,
  late,
  late,
  undone,
  undone,
  savepoint,
  failed,
  prepared,
  serializable,
  merge,
  stranger,
  deleter,
  monitor,
];
const deeds: readonly Deed[] = repertoire === 'everything' ? [...shared, leaf, separateNextval] : shared;

const work = async (): Promise<never> => {
  for (;;) {
    const writer = await Writer.connect(url).catch(() => null);
    try {
      while (writer) {
        await randomness.pick(deeds)(writer);
        if (randomness.float() < 0.3) await sleep(randomness.below(5));
      }
    } catch {
      // The backend was killed or the server is coming up again; what was not acknowledged may or may not be there.
    }
    await writer?.close();
    await sleep(50);
  }
};

process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
await Promise.all(Array.from({ length: connections }, work));
