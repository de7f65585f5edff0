import { type CommandContract, isCommandContract, isWithin } from '../../contracts/index.ts';
import { type Duration, FactlineError } from '../../foundation/index.ts';

/**
 * How long a request of the command waits: what it says, else what the command declares.
 * @throws FactlineError REQUEST_INVALID
 */
export const limitOf = (command: CommandContract, within: Duration | undefined): Duration => {
  const refuse = (reason: string, cure: string): never => {
    throw new FactlineError('REQUEST_INVALID', { type: String(command?.type), reason, cure });
  };
  if (!isCommandContract(command)) return refuse('it is no command', 'Declare it with defineCommand.');
  if (command.replies.length === 0)
    refuse('it declares no replies', 'Add `replies` to its declaration, or send it and wait for nothing.');
  const limit = within ?? command.within;
  if (limit === undefined)
    return refuse(
      'it has no time limit',
      "Say how long to wait: app.request(command, data, { within: '10s' }), or `within` in its declaration.",
    );
  if (!isWithin(limit))
    refuse(
      `${JSON.stringify(limit)} is no time limit`,
      "Give a duration from '1ms' to '1h'; a longer wait is a workflow's.",
    );
  return limit;
};
