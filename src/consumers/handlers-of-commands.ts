import { isCommandContract } from '../contracts/index.ts';
import { FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../postgres/index.ts';
import type { ConsumerDefinition } from './definition.ts';

const sql = loadQueries<'other_handlers'>(new URL('./handlers-of-commands.sql', import.meta.url));

/** The commands that a consumer handles, earlier versions included that it reads through upcasters. */
const commandsOf = ({ contracts, upcasters }: ConsumerDefinition): readonly string[] =>
  [...contracts, ...upcasters.map(({ from }) => from)].filter(isCommandContract).map(({ type }) => type);

/** @throws FactlineError COMMAND_HANDLED_TWICE when two of these consumers handle one command */
export const refuseTwoHandlers = (definitions: readonly ConsumerDefinition[]): void => {
  const handlers = new Map<string, string>();
  for (const definition of definitions)
    for (const type of commandsOf(definition)) {
      const { name } = definition;
      const other = handlers.get(type) ?? name;
      // Versions of one workflow are one handler.
      if (other !== name)
        throw new FactlineError('COMMAND_HANDLED_TWICE', { type, handlers: `${other}, ${name}` });
      handlers.set(type, name);
    }
};

/**
 * Looks for other handlers among all that is registered in this database, whether they run or not: one that was stopped comes
 * back with everything that it has not handled.
 * @throws FactlineError COMMAND_HANDLED_TWICE
 */
export const refuseOtherHandlers = async (
  on: Queryable,
  definitions: readonly ConsumerDefinition[],
): Promise<void> => {
  const handlers = new Map(
    definitions.flatMap((each) => commandsOf(each).map((type) => [type, each] as const)),
  );
  if (handlers.size === 0) return;
  const names = [...handlers.values()].flatMap(({ name, formerly }) => [name, ...formerly]);
  const [other] = await run(on, sql.other_handlers, [[...handlers.keys()], names]);
  if (other === undefined) return;
  const type = String(other['type']);
  const own = handlers.get(type)?.name ?? '';
  const found = `${String(other['consumer'])} (of the app ${String(other['app'])})`;
  throw new FactlineError('COMMAND_HANDLED_TWICE', { type, handlers: `${own}, ${found}` });
};
