import { setTimeout as sleep } from 'node:timers/promises';
import { createTelemetry, systemClock } from '../../src/foundation/index.ts';
import { createTail } from '../../src/log/index.ts';
import { RecentRows } from '../../src/log/recent-rows.ts';
import { Recount } from '../../src/log/recount.ts';
import { SafeReader } from '../../src/log/safe-reader.ts';
import { settlingFrom } from '../../src/log/settling.ts';
import type { HolderRule } from '../../src/log/start-checks.ts';
import { TailSession } from '../../src/log/tail-session.ts';
import { createDatabase, type Database, type NamedQuery, type Row } from '../../src/postgres/index.ts';
import { type ControlConnection, type ControlName, controls, soundOrder } from './controls.ts';
import { task, tell } from './messages.ts';
import { SeededRandomness } from './randomness.ts';

/*
 * One process of readers. 'tail …' is the product; 'paused …' is its proof with pauses between the statements;
 * 'sound order' and the controls are the small readers of controls.ts.
 */
const { url, seed, readers = [] } = task();
const randomness = new SeededRandomness(seed);
const telemetry = createTelemetry();
const database: Database = createDatabase({
  url,
  applicationName: 'stress-reader',
  sizes: { operations: 20 },
});

telemetry.listen((event) => {
  if (event.name === 'tail.late-arrival')
    tell({ kind: 'alarm', reader: 'tail', text: JSON.stringify(event) });
});

const delivered = (reader: string, positions: readonly number[], upTo: number): void =>
  tell({ kind: 'delivered', reader, positions, upTo });

const readByTail = async (name: string, after: number): Promise<void> => {
  const tail = createTail({ database, clock: systemClock, telemetry });
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after });
  for (;;) {
    const { events, upTo } = await cursor.next({ max: 1 + randomness.below(500) });
    delivered(
      name,
      events.map((event) => event.position),
      upTo,
    );
    // Now and then slow enough to fall behind what the tail keeps, so that ranges are read as well.
    if (randomness.float() < 0.01) await sleep(randomness.below(400));
  }
};

class PausingSession extends TailSession {
  override async run(query: NamedQuery, values: readonly unknown[] = []): Promise<Row[]> {
    await sleep(randomness.below(6));
    return super.run(query, values);
  }
  override async runArrays(query: NamedQuery, values: readonly unknown[] = []): Promise<unknown[][]> {
    await sleep(randomness.below(6));
    return super.runArrays(query, values);
  }
}

const readPaused = async (name: string, after: number, rule: HolderRule): Promise<void> => {
  const session = new PausingSession(database, systemClock);
  const rows = new RecentRows(0);
  const recount = new Recount({ database, clock: systemClock, telemetry });
  const reader = new SafeReader({ session, database, rows, recount });
  await session.open();
  await reader.begin(rule);
  let position = after;
  for (;;) {
    const outcome = await reader.pass({ rowsWanted: true, endWanted: true });
    // What was settled at the start of a later life without having been read here is read by range, as a cursor does.
    if (position < rows.from) position = await readSettled(name, position, rows.from);
    const { events, upTo } = rows.take(position, 100_000, { types: 'all' });
    if (upTo > position)
      delivered(
        name,
        events.map((event) => event.position),
        upTo,
      );
    position = upTo;
    if (outcome.delivered === 0) await sleep(1 + randomness.below(5));
  }
};

const readSettled = async (name: string, after: number, upTo: number): Promise<number> => {
  const { readRange } = await import('../../src/log/index.ts');
  const { events } = await readRange(database.operations, { after, upTo, types: 'all', limit: 10_000_000 });
  delivered(
    name,
    events.map((event) => event.position),
    upTo,
  );
  return upTo;
};

const readByControl = async (name: string, after: number): Promise<void> => {
  const session = await database.openSession('control');
  const on: ControlConnection = { query: (request) => session.client.query(request), randomness };
  const control = name === 'sound order' ? soundOrder : controls[name as ControlName];
  let state = settlingFrom(after);
  for (;;) {
    const before = state.settled;
    const pass = await control(on, state);
    state = pass.state;
    if (state.settled > before) delivered(name, pass.delivered, state.settled);
    await sleep(randomness.below(4));
  }
};

const read = ({ name, after }: { readonly name: string; readonly after: number }): Promise<void> => {
  if (name.startsWith('tail')) return readByTail(name, after);
  if (name === 'paused both-locks') return readPaused(name, after, 'both-locks');
  if (name === 'paused sequence-only') return readPaused(name, after, 'sequence-only');
  return readByControl(name, after);
};

process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
await Promise.all(readers.map(read)).catch((error: unknown) => {
  console.error(error);
  // Begun again by the run, from where its deliveries have arrived.
  process.exit(1);
});
