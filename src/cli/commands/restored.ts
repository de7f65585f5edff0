import { FactlineError } from '../../foundation/index.ts';
import { beginEpoch, readRestoredState } from '../../operations/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';

export const restored: Command = {
  path: ['restored'],
  summary: 'Say that this database was restored or copied and is to go on.',
  description:
    'Begins a new log epoch: tokens and what others remembered of the old one are refused, and no position that anything remembers is ever given again. Run it once after a restore, a point-in-time recovery or a clone that is meant to go on, with the app stopped. Events lost with the restore stay lost.',
  options: [{ name: 'yes', help: 'Do it.' }, ...personOptions, ...databaseOptions],
  examples: [
    { line: 'factline restored', does: 'says what it would do' },
    { line: 'factline restored --yes', does: 'does it' },
  ],
  json: [
    { name: 'epoch', help: 'The new log epoch.' },
    { name: 'previousEpoch', help: 'The one before.' },
    { name: 'positionsFrom', help: 'The next event gets a position above this one.' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      if (!given.has('yes')) {
        const {
          epoch,
          copied,
          head,
          given: highest,
          remembered,
        } = await readRestoredState(database.operations);
        const why = copied ? 'which is a copy from another server' : 'on the server it was written on';
        throw new FactlineError('CONFIRMATION_MISSING', {
          effect: `end the log epoch ${epoch} of this database, ${why}; the log ends at position ${head}, and the next event would get a position above ${Math.max(highest, head, remembered)}`,
        });
      }
      const actor = await actorOf(context, database.operations);
      const result = await beginEpoch(database, { actor, reason: personOf(context).reason });
      if (json) terminal.out(JSON.stringify(result));
      else {
        terminal.out(
          `${style.green('✓')} log epoch ${result.epoch} has begun, after ${result.previousEpoch}`,
        );
        terminal.out(
          `  the next event gets a position above ${result.positionsFrom.toLocaleString('en-US')}`,
        );
      }
      return undefined;
    }),
};
