import { FactlineError } from '../../foundation/index.ts';
import {
  abortReplay,
  approveReplay,
  beginReplay,
  type Decision,
  digestPrefixMin,
  pauseReplay,
  type Replay,
  readReplay,
  rejectReplay,
  requestReplay,
  resumeReplay,
  runShadow,
} from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { roughCountText } from '../replay-view.ts';
import { replayArgument, replayFields, replayNumber, showReplay } from './replay.ts';
import { codeOf } from './replay-code.ts';

type Pool = Connected['database']['operations'];

interface Place {
  readonly context: CommandContext;
  readonly connected: Connected;
}

/** A command that decides something about one replay, and shows what it is then. */
const deciding = (
  command: Pick<Command, 'path' | 'summary' | 'examples'> & Partial<Pick<Command, 'description' | 'options'>>,
  decide: (pool: Pool, decision: Decision, place: Place) => Promise<Replay>,
): Command => ({
  ...command,
  arguments: [replayArgument],
  options: [...(command.options ?? []), ...personOptions, ...databaseOptions],
  json: replayFields,
  run: (context) =>
    withDatabase(context, async (connected) => {
      const pool = connected.database.operations;
      const id = replayNumber(context.given.arguments[0]);
      const { reason } = personOf(context);
      const actor = await actorOf(context, pool);
      return showReplay(context, pool, await decide(pool, { actor, id, reason }, { context, connected }));
    }),
});

export const replayRequest: Command = deciding(
  {
    path: ['replay', 'request'],
    summary: 'Ask for approval of a replay that was estimated.',
    description:
      'Handlers need another person, and two where effects are executed or more than 1,000 events are meant. A rebuild of up to ten million events needs nobody else.',
    examples: [{ line: 'factline replay request 7', does: 'then somebody else approves it' }],
  },
  requestReplay,
);

export const replayApprove: Command = deciding(
  {
    path: ['replay', 'approve'],
    summary: 'Approve exactly what was shown.',
    description:
      'Not by whoever planned or requested it: the database refuses that. It holds for one revision and one frozen selection, named by their digest; any change makes it void.',
    options: [
      {
        name: 'digest',
        value: 'DIGEST',
        help: 'The digest that `replay show` shows, at least 8 characters.',
      },
      {
        name: 'break-glass',
        help: 'Alone, in an emergency: with a --reason of at least 15 characters, loudly on record.',
      },
    ],
    examples: [{ line: 'factline replay approve 7 --digest 3f1c9a20', does: 'after looking at it' }],
  },
  async (pool, decision, { context: { given } }) => {
    const { id } = decision;
    const digest = given.text('digest');
    if (digest === undefined) throw unconfirmed(await readReplay(pool, id));
    if (digest.length < digestPrefixMin) {
      const expected = `the digest that \`replay show ${id}\` shows, at least ${digestPrefixMin} characters of it`;
      throw new FactlineError('OPTION_INVALID', { option: '--digest', expected, actual: digest });
    }
    return approveReplay(pool, { ...decision, digest, breakGlass: given.has('break-glass') });
  },
);

const unconfirmed = ({ id, consumer, frozen, manifest }: Replay): FactlineError => {
  const { effects } = manifest;
  const events = roughCountText(frozen?.selected ?? 0, frozen?.selectedWithin ?? null);
  const acts =
    effects.policy === 'execute'
      ? `, with up to ${effects.max} effects executed`
      : `, effects: ${effects.policy}`;
  return new FactlineError('REPLAY_CONFIRMATION_MISSING', {
    effect: `approve that ${consumer} handles ${events} events again${acts}`,
    verb: 'approve',
    replay: id,
    digest: frozen?.digest.slice(0, digestPrefixMin + 4) ?? 'DIGEST',
  });
};

export const replayReject: Command = deciding(
  {
    path: ['replay', 'reject'],
    summary: 'Refuse a replay for good, with a reason.',
    examples: [
      { line: 'factline replay reject 7 --reason "not on a Friday"', does: 'it can be planned anew' },
    ],
  },
  (pool, decision) => rejectReplay(pool, withReason(decision)),
);

export const replayRun: Command = deciding(
  {
    path: ['replay', 'run'],
    summary: 'Begin a replay that was approved.',
    description:
      'Looks once more whether everything is as it was approved, then the processes that run the consumer carry it out, at the pace that live traffic leaves. This command returns at once. A shadow is run by this command, with the code at hand, and goes on where it was when it is called again.',
    examples: [{ line: 'factline replay run 7', does: 'then: factline replay watch 7' }],
  },
  async (pool, decision, { context, connected }) => {
    if ((await readReplay(pool, decision.id)).mode !== 'shadow') return beginReplay(pool, decision);
    const { clock, signal, terminal, json } = context;
    const code = await codeOf(context, connected);
    return runShadow(connected.database, {
      ...decision,
      code,
      source: code.source,
      clock,
      signal,
      onProgress: ({ run, frozen }) => {
        if (!json) terminal.err(`${run.released} of ${frozen?.selected ?? 0} tried`);
      },
    });
  },
);

export const replayPause: Command = deciding(
  {
    path: ['replay', 'pause'],
    summary: 'Pause a replay: no further event is handed over.',
    examples: [{ line: 'factline replay pause 7 --reason "peak hour"', does: 'until it is resumed' }],
  },
  pauseReplay,
);

export const replayResume: Command = deciding(
  {
    path: ['replay', 'resume'],
    summary: 'Let a paused replay go on where it was.',
    examples: [{ line: 'factline replay resume 7', does: 'at its real position' }],
  },
  resumeReplay,
);

export const replayAbort: Command = deciding(
  {
    path: ['replay', 'abort'],
    summary: 'End a replay for good; what was handled stays handled.',
    examples: [{ line: 'factline replay abort 7 --reason "wrong selection"', does: 'in every state' }],
  },
  (pool, decision) => abortReplay(pool, withReason(decision)),
);

const withReason = (decision: Decision): Decision => {
  if (decision.reason !== undefined) return decision;
  throw new FactlineError('OPTION_INVALID', {
    option: '--reason',
    expected: 'why; it stays on record',
    actual: 'nothing',
  });
};
