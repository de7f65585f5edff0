import type { Handler } from '../../consumers/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { findGroup, redirectGroup, redirectParked, showParked } from '../../operations/index.ts';
import { perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { type LoadedApp, loadApp } from '../configuration.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { answerFields, waitOptions } from '../requests.ts';
import { askAbout, parkedNumber } from './quarantine.ts';
import { groupNumber } from './quarantine-groups.ts';
import { releaseFields, releaseGroup, releaseOptions } from './quarantine-release.ts';

export const quarantineRedirect: Command = {
  path: ['quarantine', 'redirect'],
  summary: 'Hand quarantined events to a repair that their handler declares.',
  description:
    'From the next attempt on a repair (defineHandler({ repairs })) handles the event in the place of its handler, in the order of its key, with the same transaction, effects and retries. Its success is what counts as handled; then what waits behind goes on with the handler. A repair that fails leaves the event in quarantine.',
  arguments: [{ name: 'ID', help: 'Numbers from `quarantine list`.', required: false, many: true }],
  options: [
    { name: 'to', value: 'REPAIR', help: 'The name under which the handler declares it.' },
    { name: 'back', help: 'Instead of --to: to the handler itself, as before.' },
    { name: 'group', value: 'GROUP', help: 'Everything that is in this group now, frozen.' },
    ...releaseOptions,
    ...personOptions,
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    {
      line: 'factline quarantine redirect 7 --to refund --reason "the shop has closed"',
      does: 'one event, and waits for what the repair makes of it',
    },
    {
      line: 'factline quarantine redirect --group 3 --to refund --reason "shop closed"',
      does: 'a few first, then the rest, as in `quarantine release`',
    },
  ],
  json: [...releaseFields, ...answerFields],
  run: async (context) => {
    const { given } = context;
    const { reason } = personOf(context);
    if (reason === undefined) throw invalid('--reason', 'why; it stays on record', 'nothing');
    const [group, ids] = [given.text('group'), given.arguments.map(parkedNumber)];
    if ((group === undefined) === (ids.length === 0))
      throw invalid('ID', 'either numbers of events or --group', group === undefined ? 'neither' : 'both');
    const app = await loadApp(context);
    if (group !== undefined)
      return withDatabase(context, async (connected) => {
        const { consumer } = await findGroup(connected.database.operations, groupNumber(group));
        const repair = repairOf(context, app, consumer);
        return releaseGroup(context, connected.database.operations, {
          group: groupNumber(group),
          act: 'quarantine.redirect',
          details: { repair },
          begin: (client, request) => redirectGroup(client, { ...request, repair, reason }),
        });
      });
    await withDatabase(context, (connected) => redirectEvents(context, connected, { app, ids, reason }));
    return askAbout(context, 'retry', given.arguments);
  },
};

const invalid = (option: string, expected: string, actual: string): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });

/** The code at hand has to declare it: a name with a typing error would only fail later. */
const repairOf = ({ given }: CommandContext, app: LoadedApp, consumer: string): string | null => {
  const to = given.text('to');
  if ((to === undefined) !== given.has('back'))
    throw invalid('--to', 'either --to REPAIR or --back', to === undefined ? 'neither' : 'both');
  if (to === undefined) return null;
  const { consumers } = app.internals.settings;
  const handler = consumers.find(({ name, class: kind }) => name === consumer && kind === 'operational');
  const declared = Object.keys((handler as Handler | undefined)?.repairs ?? {});
  if (declared.includes(to)) return to;
  throw invalid('--to', `a repair that ${consumer} declares (${declared.join(', ') || 'none'})`, to);
};

interface Redirected {
  readonly app: LoadedApp;
  readonly ids: readonly number[];
  readonly reason: string;
}

/** Each on record by itself. All names are looked at before the first is redirected. */
const redirectEvents = async (
  context: CommandContext,
  { database }: Connected,
  { app, ids, reason }: Redirected,
): Promise<void> => {
  const on = database.operations;
  const repairs = new Map<number, string | null>();
  for (const id of ids) repairs.set(id, repairOf(context, app, (await showParked(on, id)).consumer));
  const actor = await actorOf(context, on);
  for (const [id, repair] of repairs) {
    const act = {
      actor,
      act: 'quarantine.redirect',
      target: `quarantine ${id}`,
      reason,
      details: { repair },
    } as const;
    await perform(on, act, (client) =>
      redirectParked(client, { ids: [id], repair, actor: actor.name, reason }),
    );
  }
};
