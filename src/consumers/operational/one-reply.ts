import { type Draft, type FactEvent, isCommandContract } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { Handler } from './handler.ts';

/**
 * Looks at what an attempt at a command is about to publish: whoever asked takes the first reply, so a second one would
 * contradict it unread. Undefined for events, and for commands without replies. What it returns throws COMMAND_REPLIED_TWICE.
 */
export const oneReply = (
  { name, contracts }: Pick<Handler, 'name' | 'contracts'>,
  { type, id }: Pick<FactEvent, 'type' | 'id'>,
): ((drafts: readonly Draft[]) => void) | undefined => {
  const command = contracts.find((contract) => contract.type === type);
  if (!isCommandContract(command) || command.replies.length === 0) return undefined;
  const replies = new Set<string>(command.replies.map((reply) => reply.type));
  return (drafts) => {
    const given = drafts.filter((draft) => replies.has(draft.type));
    if (given.length > 1)
      throw new FactlineError('COMMAND_REPLIED_TWICE', {
        consumer: name,
        type,
        id,
        replies: given.map((draft) => draft.type).join(', '),
      });
  };
};
