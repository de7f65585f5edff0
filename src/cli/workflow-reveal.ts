import { perform } from '../replay/index.ts';
import { actorOf, personOf } from './actor.ts';
import type { CommandContext, CommandOption } from './command.ts';
import type { Connected } from './connection.ts';
import { type InstanceMask, instanceMask, openMask } from './workflow-masking.ts';

export const revealOption: CommandOption = {
  name: 'reveal',
  help: 'Show what is hidden as well. Needs a role that may, and stays on record.',
};

/** What hides of an instance what contracts hide; with --reveal nothing, on record. @throws FactlineError FORBIDDEN */
export const maskFor = async (
  context: CommandContext,
  { database, app }: Connected,
  id: number,
): Promise<InstanceMask> => {
  const on = database.operations;
  if (!context.given.has('reveal')) return instanceMask(on, app, id);
  const actor = await actorOf(context, on);
  const { reason } = personOf(context);
  const act = { actor, act: 'workflow.reveal', target: `workflow instance ${id}`, reason } as const;
  return perform(on, act, async () => openMask);
};
