import { setTimeout as sleep } from 'node:timers/promises';
import { lookAtHolders, type Settling, settleDeadEnd, settlingFrom, walk } from '../../src/log/settling.ts';
import { loadQueries, type Queryable, run } from '../../src/postgres/index.ts';
import type { SeededRandomness } from './randomness.ts';

const sql = loadQueries<'rows' | 'head' | 'holders' | 'holders_with_process' | 'at_once'>(
  new URL('./controls.sql', import.meta.url),
);

/** One wrong pass: answers the state after it and what it delivered. */
export type Control = (
  on: ControlConnection,
  state: Settling,
) => Promise<{ state: Settling; delivered: readonly number[] }>;

/** A connection whose statements are some milliseconds apart: a sound order stands any pause, a wrong one shows. */
export interface ControlConnection extends Queryable {
  readonly randomness: SeededRandomness;
}

const pause = (on: ControlConnection): Promise<void> => sleep(on.randomness.below(6));

const rows = async (on: ControlConnection, after: number): Promise<number[]> =>
  (await run(on, sql.rows, [after])).map((row) => Number(row['position']));

const head = async (on: ControlConnection): Promise<number> => Number((await run(on, sql.head))[0]?.['head']);

const holders = async (on: ControlConnection): Promise<string[]> =>
  ((await run(on, sql.holders))[0]?.['holders'] ?? []) as string[];

const deliver = (
  state: Settling,
  positions: readonly number[],
): { state: Settling; delivered: readonly number[] } => {
  const step = walk(state, positions, positions.length < 500);
  return { state: settleDeadEnd(step.state, step.deadEnd), delivered: positions.slice(0, step.passed) };
};

/** The order that is right, in the words of the controls: what each of the others changes is one thing. */
export const soundOrder: Control = async (on, state) => {
  const given = await head(on);
  await pause(on);
  const proven = lookAtHolders(state, given, await holders(on));
  await pause(on);
  return deliver(proven, await rows(on, proven.settled));
};

const naive: Control = async (on, state) => {
  const positions = await rows(on, state.settled);
  await pause(on);
  return { state: settlingFrom(positions.at(-1) ?? state.settled), delivered: positions };
};

/** Looks at the locks, and then decides on the rows that it had read before. */
const rowsUsedAgain: Control = async (on, state) => {
  const positions = await rows(on, state.settled);
  const given = await head(on);
  await pause(on);
  return deliver(lookAtHolders(state, given, await holders(on)), positions);
};

/** Looks at the locks first, and takes what is given afterwards for covered by that look. */
const locksBeforeRows: Control = async (on, state) => {
  const present = await holders(on);
  await pause(on);
  const proven = lookAtHolders(state, await head(on), present);
  return deliver(proven, await rows(on, proven.settled));
};

const oneStatement: Control = async (on, state) => {
  const [row] = await run(on, sql.at_once, [state.settled, on.randomness.float() * 0.006]);
  const proven = lookAtHolders(state, Number(row?.['head']), row?.['holders'] as string[]);
  return deliver(proven, row?.['positions'] as number[]);
};

/** The right order, all of it in one snapshot. */
const repeatableRead: Control = async (on, state) => {
  await on.query('begin isolation level repeatable read');
  await rows(on, state.settled);
  try {
    return await soundOrder(on, state);
  } finally {
    await on.query('commit');
  }
};

/** Takes only holders with a process for alive: a prepared transaction has none. */
const ignoresPrepared: Control = async (on, state) => {
  const given = await head(on);
  const [row] = await run(on, sql.holders_with_process);
  const proven = lookAtHolders(state, given, row?.['holders'] as string[]);
  await pause(on);
  return deliver(proven, await rows(on, proven.settled));
};

export const controls = {
  naive,
  'rows used again': rowsUsedAgain,
  'locks before rows': locksBeforeRows,
  'one statement': oneStatement,
  'repeatable read': repeatableRead,
  'ignores prepared transactions': ignoresPrepared,
} as const satisfies Readonly<Record<string, Control>>;

export type ControlName = keyof typeof controls;
