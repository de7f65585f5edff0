import type { ConsumerDefinition } from '../../src/consumers/index.ts';
import { systemClock } from '../../src/foundation/index.ts';
import {
  type Actor,
  approveReplay,
  beginReplay,
  type CarryOutOptions,
  estimateReplay,
  planReplay,
  type Replay,
  ReplayRun,
  readReplay,
  requestReplay,
  roles,
} from '../../src/replay/index.ts';
import type { HandlerProcess } from './handler-process.ts';

export const person = (name: string): Actor => ({ name, via: 'cli', roles: new Set(roles) });

export interface ReplayPlan {
  readonly definitions: readonly ConsumerDefinition[];
  readonly codeVersion?: string;
}

/** A replay of everything that the consumer has handled, asked for and approved by enough people; begun. */
export const beginReplayOf = async (
  { database }: Pick<HandlerProcess, 'database'>,
  { definitions, codeVersion = '1' }: ReplayPlan,
  manifest: Record<string, unknown> = {},
): Promise<number> => {
  const pool = database.operations;
  const code = { codeVersion, definitions, contracts: definitions.flatMap(({ contracts }) => contracts) };
  const [last] = (await pool.query('select max(position)::int as head from factline.events')).rows;
  const id = await planReplay(pool, {
    actor: person('ada'),
    code,
    manifest: {
      title: 'Once more',
      reason: 'They were handled by a version with a bug.',
      consumer: 'subject',
      selection: { source: 'log', from: 1, to: last.head },
      rate: { ceiling: 1_000, floor: 1 },
      canary: [],
      rollback: 'Nothing is to be undone.',
      ...manifest,
    },
  });
  await estimateReplay(database, {
    actor: person('ada'),
    id,
    code,
    source: 'test',
    withoutSample: true,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await requestReplay(pool, { actor: person('ada'), id });
  for (const name of ['bob', 'carol']) {
    const { approvals, frozen } = await readReplay(pool, id);
    if (approvals.given.length < approvals.required)
      await approveReplay(pool, { actor: person(name), id, digest: frozen?.digest ?? '' });
  }
  await beginReplay(pool, { actor: person('ada'), id });
  return id;
};

/** The part of a running app that carries replays out, driven by hand. */
export const replayRunOf = (
  { database, telemetry, engine }: HandlerProcess,
  definitions: readonly ConsumerDefinition[],
  options: Pick<CarryOutOptions, 'look' | 'testStep'> = {},
): ReplayRun =>
  new ReplayRun({
    database,
    telemetry,
    consumers: () =>
      new Map(
        engine.running().flatMap(({ consumer }) => {
          const definition = definitions.find(({ name }) => name === consumer.name);
          return definition === undefined ? [] : [[consumer.id, definition] as const];
        }),
      ),
    ...options,
  });

const calm = async (): Promise<{ consumer: null; danger: number }> => ({ consumer: null, danger: 0 });

/** Passes until it has left those states, or for 15 seconds. */
export const carryOut = async (
  process: HandlerProcess,
  definitions: readonly ConsumerDefinition[],
  id: number,
): Promise<Replay> => {
  const run = replayRunOf(process, definitions, { look: calm });
  const deadline = Date.now() + 15_000;
  for (;;) {
    await run.pass();
    await process.engine.lookForDueWork();
    const replay = await readReplay(process.database.operations, id);
    if (!['canary', 'running', 'verifying'].includes(replay.state)) return replay;
    if (Date.now() > deadline)
      throw new Error(
        `still ${replay.state}: ${JSON.stringify([replay.run, await process.parked(), process.told.filter(({ name }) => name === 'engine.error').slice(0, 3)])}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
