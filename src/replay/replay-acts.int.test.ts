import { describe, expect, test } from 'vitest';
import { type Death, openDyingDatabase } from '../../test/operational/dying-database.ts';
import { OrderPlaced, placed, useTestBench } from '../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../test/operational/handler-process.ts';
import { carryOut, person } from '../../test/operational/replays.ts';
import { defineHandler, type Handler } from '../consumers/index.ts';
import { systemClock } from '../foundation/index.ts';
import type { Database } from '../postgres/index.ts';
import {
  abortReplay,
  approveReplay,
  beginReplay,
  estimateReplay,
  listAudit,
  listReplays,
  pauseReplay,
  planReplay,
  type Replay,
  readReplay,
  requestReplay,
  resumeReplay,
  verifyAudit,
} from './index.ts';

/*
 * What people do to a replay, by processes that die at every statement of it: plan, estimate, request, approve twice, run, pause,
 * resume, abort. Whoever comes next finds one state and goes on from there. The run itself: replay-deaths.int.test.ts.
 */
const bench = useTestBench();
const ada = person('ada');

const definitions: Handler[] = [
  defineHandler({
    name: 'subject',
    on: [OrderPlaced],
    onReplay: 'reuse',
    lanes: 2,
    handle: async ({ data }, { transaction, replay }) => {
      await transaction(async (tx) => {
        await tx.query('insert into book values ($1, $2, $3)', [data.orderId, data.n, replay]);
      });
    },
  }),
];
const code = { codeVersion: '1', definitions, contracts: definitions.flatMap(({ contracts }) => contracts) };
const drafts = ['A', 'B'].flatMap((orderId) => [1, 2, 3].map((n) => placed(orderId, n)));

/** The person's part of a life, from wherever it stands to its second canary; where `aborts`, to its end. */
interface Life {
  readonly title: string;
  readonly aborts?: boolean;
  /** Looks on from outside: what it asks is no statement of the process that may die. */
  readonly witness: HandlerProcess;
}

const findReplay = async ({ witness: { database }, title }: Life): Promise<Replay | null> => {
  const found = (await listReplays(database.operations, { all: true, limit: 10 })).find(
    (each) => each.title === title,
  );
  return found === undefined ? null : readReplay(database.operations, found.id);
};

const isPaused = async ({ witness: { database } }: Life, id: number): Promise<boolean> =>
  (await listAudit(database.operations, { act: 'replay.pause', target: `replay ${id}`, limit: 1 })).length >
  0;

const plan = (database: Database, { title }: Life): Promise<number> =>
  planReplay(database.operations, {
    actor: ada,
    code,
    manifest: {
      title,
      reason: 'They were handled by a version with a bug.',
      consumer: 'subject',
      selection: { source: 'log', from: 1, to: drafts.length },
      rate: { ceiling: 1_000, floor: 1 },
      canary: [2],
      rollback: 'Nothing is to be undone.',
    },
  });

const estimate = (database: Database, id: number): Promise<Replay> => {
  const { signal } = new AbortController();
  return estimateReplay(database, { actor: ada, id, code, source: 'test', clock: systemClock, signal });
};

const approve = ({ operations }: Database, { id, approvals, frozen }: Replay): Promise<Replay> => {
  const actor = person(approvals.given.length === 0 ? 'bob' : 'carol');
  return approveReplay(operations, { actor, id, digest: frozen?.digest ?? '' });
};

const goOn = async (database: Database, life: Life): Promise<Replay> => {
  const pool = database.operations;
  for (;;) {
    const replay = await findReplay(life);
    const id = replay?.id ?? 0;
    if (replay === null) await plan(database, life);
    else if (replay.state === 'draft' || replay.state === 'estimating') await estimate(database, id);
    else if (replay.state === 'estimated') await requestReplay(pool, { actor: ada, id });
    else if (replay.state === 'pending_approval') await approve(database, replay);
    else if (replay.state === 'approved') await beginReplay(pool, { actor: ada, id });
    else if (replay.state === 'paused') await resumeReplay(pool, { actor: ada, id });
    else if (!(await isPaused(life, id))) await pauseReplay(pool, { actor: ada, id, reason: 'to look' });
    else if (life.aborts === true && replay.state !== 'aborted')
      await abortReplay(pool, { actor: ada, id, reason: 'enough' });
    else return replay;
  }
};

const live = async (life: Life, death?: Death): Promise<readonly string[]> => {
  const dying = openDyingDatabase(bench.url, death);
  await Promise.race([goOn(dying.database, life), dying.dead]);
  await dying.stop();
  return dying.statements;
};

const assertTrail = async ({ witness: { database }, title }: Life, { id, state }: Replay): Promise<void> => {
  const records = await listAudit(database.operations, { target: `replay ${id}`, limit: 100 });
  const moves = records
    .reverse()
    .flatMap(({ details }) => (details['to'] === undefined ? [] : [[details['from'], details['to']]]));
  let at: unknown = 'draft';
  for (const [from, to] of moves) {
    expect(from, title).toBe(at);
    at = to;
  }
  expect(at, title).toBe(state);
};

/** All that a replay left: each of its events once, the rows of one freeze, and a record of every step. */
const assertWhole = async (life: Life, replay: Replay): Promise<void> => {
  const { witness } = life;
  const [facts] = await witness.rows(
    `select (select count(*)::int from book where replay = $1::bigint) as written,
       (select count(distinct (order_id, n))::int from book where replay = $1::bigint) as events,
       (select count(distinct freeze_number)::int from factline.replay_selection where replay_id = $1) as freezes`,
    [replay.id],
  );
  const all = life.aborts === true ? 0 : drafts.length;
  expect(facts, life.title).toEqual({ written: all, events: all, freezes: 1 });
  await assertTrail(life, replay);
};

/**
 * Every statement with FACTLINE_REPLAY_DEATHS=all, which takes minutes. Else what lasts and nobody has heard of: death before a COMMIT
 * leaves what death before any other statement of its transaction leaves, nothing.
 */
const isLong = process.env['FACTLINE_REPLAY_DEATHS'] === 'all';
const deathsOf = (statements: readonly string[]): readonly Death[] =>
  statements.flatMap((text, index) => {
    const after: Death = { at: index + 1, when: 'after' };
    if (isLong) return [{ ...after, when: 'before' }, after];
    return text === 'commit' ? [after] : [];
  });

describe('whoever dies at any statement of what people do to a replay', () => {
  test.each([
    { name: 'up to its start, its pause and its resumption', aborts: false },
    { name: 'to end it where it is', aborts: true },
  ])('leaves one that goes on: $name', { timeout: isLong ? 3_600_000 : 180_000 }, async ({ aborts }) => {
    const witness = await bench.launch({ definitions });
    await witness.rows(
      'create table book (order_id text, n int, replay bigint, unique nulls not distinct (order_id, n, replay))',
    );
    await witness.publish(...drafts);
    await witness.settled();
    const { database } = witness;
    const liveOut = async (title: string, death?: Death): Promise<readonly string[]> => {
      const life = { title, aborts, witness };
      // Only what comes last is done by who dies.
      if (aborts) await goOn(database, { ...life, aborts: false });
      const statements = await live(life, death);
      const { id } = await goOn(database, life);
      const replay = aborts
        ? await readReplay(database.operations, id)
        : await carryOut(witness, definitions, id);
      expect(replay.state, title).toBe(aborts ? 'aborted' : 'done');
      await assertWhole(life, replay);
      return statements;
    };
    const statements = await liveOut('Nobody dies');
    const deaths = deathsOf(statements);
    expect(deaths.length).toBeGreaterThanOrEqual(aborts ? 1 : 9);
    for (const death of deaths)
      await liveOut(`Dies ${death.when} ${death.at}: ${statements[death.at - 1]?.slice(0, 80)}`, death);
    expect(await verifyAudit(database.operations)).toMatchObject({ problems: [] });
  });
});
