import { readLiveDanger } from '../../consumers/index.ts';
import {
  hasEnded,
  isUnderWay,
  isWorked,
  type Replay,
  type ReplayReport,
  readReplay,
  reportReplay,
  waitingFor,
} from '../../replay/index.ts';
import type { Command, CommandContext } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { duration } from '../parse.ts';
import { nextCommand } from '../replay-view.ts';
import { type ReplayMoment, watchLines } from '../replay-watch-view.ts';
import { Screen } from '../screen.ts';
import { replayArgument, replayNumber } from './replay.ts';

export const replayWatch: Command = {
  path: ['replay', 'watch'],
  summary: 'Follow a replay until it ends: its rate against its ceiling, and against live lag.',
  description:
    'Before it begins it says what it waits for. Redrawn in place on a terminal, else a line for every change. Ctrl-C ends only the watching.',
  arguments: [replayArgument],
  options: [{ name: 'every', value: 'TIME', help: 'Time between looks. Default: 1s.' }, ...databaseOptions],
  examples: [
    { line: 'factline replay watch 7', does: 'until it has ended, or Ctrl-C' },
    { line: 'factline replay watch 7 --json', does: 'one JSON object a line' },
  ],
  json: [
    { name: 'id, consumer, state', help: 'As in `replay show`.' },
    { name: 'selected, released, handled, failed, underWay', help: 'Events.' },
    {
      name: 'selectedWithin',
      help: '{ low, high } where they were not counted but estimated from a sample (a rebuild of a long log); else null.',
    },
    {
      name: 'ratePerSecond, allowedPerSecond, ceiling',
      help: 'What is handled, what may be handed over, what was approved; of a rebuild the latter are null.',
    },
    { name: 'yielding', help: 'Why it goes slower than its ceiling; null: it does not.' },
    {
      name: 'live',
      help: '{ consumer, danger }: the live consumer nearest to breaking its promise; 1 is broken.',
    },
    {
      name: 'waitingFor',
      help: 'Before it begins { step, approvals: { required, given[] }, notBy[], expiresAt, expired }: the step that people have to take (estimate, request, approval or run), and who may not approve; else null.',
    },
    {
      name: 'unworked',
      help: 'It has begun, and no living process works its consumer: nothing happens until one does.',
    },
    { name: 'next', help: 'The command that brings it on, or null.' },
    { name: 'pausedReason', help: 'Why it is paused, or null.' },
  ],
  run: (context) => withDatabase(context, (connected) => watch(context, connected)),
};

const watch = async (context: CommandContext, { database }: Connected): Promise<number> => {
  const { terminal, style, json, signal, clock, given } = context;
  const id = replayNumber(given.arguments[0]);
  const everyMs = duration(given, 'every', '1s');
  const screen = new Screen(terminal);
  let last: { readonly at: number; readonly moment: ReplayMoment } | null = null;
  while (!signal.aborted) {
    const report = await reportReplay(database.operations, id);
    const at = clock.monotonic();
    const live = await readLiveDanger(database.operations);
    const unworked = isCarried(report.replay) && !(await isWorked(database.operations, report.replay));
    const moment = momentOf(report, { live, last, at, unworked });
    last = { at, moment };
    if (json) terminal.out(JSON.stringify(moment));
    else screen.show(watchLines(moment, { width: terminal.width, style }));
    if (hasEnded(report.replay.state)) break;
    await clock.sleep(everyMs, signal);
  }
  screen.end();
  const { state } = await readReplay(database.operations, id);
  return hasEnded(state) && state !== 'done' ? 1 : 0;
};

/** Processes that run the consumer carry it on by themselves; a shadow is carried on by its own command. */
const isCarried = ({ state, mode }: Replay): boolean =>
  isUnderWay(state) && state !== 'paused' && mode !== 'shadow';

const momentOf = (
  { replay, counts }: ReplayReport,
  now: {
    readonly live: ReplayMoment['live'];
    readonly last: { readonly at: number; readonly moment: ReplayMoment } | null;
    readonly at: number;
    readonly unworked: boolean;
  },
): ReplayMoment => {
  const { id, consumer, state, mode, run, manifest, paused } = replay;
  const { last, at, live } = now;
  const seconds = last === null ? 0 : (at - last.at) / 1000;
  const perSecond = last === null || seconds <= 0 ? null : (counts.handled - last.moment.handled) / seconds;
  return {
    id,
    consumer,
    state,
    selected: counts.selected,
    selectedWithin: counts.selectedWithin,
    released: run.released,
    handled: counts.handled,
    failed: counts.quarantined,
    underWay: counts.parked,
    ratePerSecond: perSecond === null ? null : Math.round(perSecond * 10) / 10,
    allowedPerSecond: run.rateNow,
    ceiling: mode === 'blue-green' ? null : manifest.rate.ceiling,
    yielding: run.yielding,
    live: { consumer: live.consumer, danger: Math.round(live.danger * 100) / 100 },
    waitingFor: waitingFor(replay),
    unworked: now.unworked,
    next: isCarried(replay) ? null : nextCommand(replay),
    pausedReason: paused === null ? null : `${paused.by}: ${paused.reason ?? 'no reason given'}`,
  };
};
