import os from 'node:os';
import type { Queryable } from '../postgres/index.ts';
import { type Actor, actorWithRoles } from '../replay/index.ts';
import type { CommandContext, CommandOption } from './command.ts';

/** Options of every command that puts an act on record. */
export const personOptions: readonly CommandOption[] = [
  {
    name: 'by',
    value: 'NAME',
    help: 'Who decides; stays on record. Default: FACTLINE_ACTOR, else the user of this machine.',
  },
  { name: 'reason', value: 'TEXT', help: 'Why; stays on record.' },
];

/** Who asks, and why: as given, else as the environment says, else the user of this machine. */
export const personOf = ({
  given,
  terminal,
}: CommandContext): { readonly actor: string; readonly reason?: string } => {
  const reason = given.text('reason')?.trim();
  const actor = given.text('by')?.trim() || terminal.environment['FACTLINE_ACTOR']?.trim() || userName();
  return reason ? { actor, reason } : { actor };
};

/** That person with the roles stored in this database, and the account behind the name. */
export const actorOf = (context: CommandContext, on: Queryable): Promise<Actor> =>
  actorWithRoles(on, {
    name: personOf(context).actor,
    via: 'cli',
    account: `${userName()}@${os.hostname()}`,
  });

const userName = (): string => {
  try {
    return os.userInfo().username;
  } catch {
    // A user id without an entry in the user database, usual in containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
};
