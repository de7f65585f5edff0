import type { ConsumerDefinition, FoldingProjection, Handler, SqlProjection } from '../consumers/index.ts';
import type { FactEvent } from '../contracts/index.ts';
import { FactlineError } from '../foundation/index.ts';

/** Told of each undeclared read; the consumer may swallow the error that it got. */
export type OnUndeclaredRead = (error: FactlineError<'READ_UNDECLARED'>) => void;

interface Guarded {
  readonly consumer: ConsumerDefinition;
  readonly onUndeclared: OnUndeclaredRead;
}

const topLevel = (path: string): string => path.split('.')[0] ?? path;

/** A payload that lets only the declared fields be read; what is below them is not looked at. */
const guardPayload = (
  event: FactEvent,
  fields: readonly string[],
  { consumer, onUndeclared }: Guarded,
): unknown => {
  const declared = new Set(fields.map(topLevel));
  const refuse = (field: string): never => {
    const error = new FactlineError('READ_UNDECLARED', { consumer: consumer.name, field, type: event.type });
    onUndeclared(error);
    throw error;
  };
  // `then` and `toJSON` are asked for by the language, not by the consumer.
  const passes = (name: PropertyKey): boolean =>
    typeof name === 'symbol' ||
    declared.has(String(name)) ||
    name in Object.prototype ||
    name === 'then' ||
    name === 'toJSON';
  return new Proxy(event.data as object, {
    get: (data, name) => (passes(name) ? Reflect.get(data, name) : refuse(String(name))),
    has: (data, name) => (passes(name) ? Reflect.has(data, name) : refuse(String(name))),
    // A spread or JSON.stringify reads every field.
    ownKeys: (data) => {
      const keys = Reflect.ownKeys(data);
      const undeclared = keys.find((name) => !passes(name));
      return undeclared === undefined ? keys : refuse(String(undeclared));
    },
  });
};

/**
 * The consumer with its `reads` enforced: reading another field throws READ_UNDECLARED. Only the user's functions are guarded,
 * not what the engine reads for them.
 */
export const guardReads = <Definition extends ConsumerDefinition>(
  consumer: Definition,
  onUndeclared: OnUndeclaredRead = () => {},
): Definition => {
  const { reads } = consumer;
  if (reads === null) return consumer;
  const guard = (event: unknown): FactEvent => {
    const fact = event as FactEvent;
    const fields = reads.get(fact.type) ?? [];
    return { ...fact, data: guardPayload(fact, fields, { consumer, onUndeclared }) };
  };
  const own = consumer as ConsumerDefinition as Handler | FoldingProjection | SqlProjection;
  return Object.freeze({ ...consumer, ...guardedFunctions(own, guard) });
};

/** The user's functions of each class, with guarded events. */
const guardedFunctions = (
  consumer: Handler | FoldingProjection | SqlProjection,
  guard: (event: unknown) => FactEvent,
): object => {
  if (consumer.class === 'operational') {
    const { handle } = consumer;
    return { handle: ((event, context) => handle(guard(event), context)) satisfies Handler['handle'] };
  }
  const { rows } = consumer;
  const guardedRows = rows && ((event: unknown) => rows(guard(event)));
  if (consumer.form === 'sql') {
    const { apply } = consumer;
    const guarded: SqlProjection['apply'] = (tx, event) => apply(tx, guard(event));
    return { apply: guarded, rows: guardedRows };
  }
  const { evolve } = consumer;
  const guarded: FoldingProjection['evolve'] = (row, event, key) => evolve(row, guard(event), key);
  return { evolve: guarded, rows: guardedRows };
};
