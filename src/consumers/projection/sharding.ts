import type { ConsumerDefinition } from '../definition.ts';
import type { FoldingProjection } from './definition.ts';

/** Below it a build is filled so soon that splitting it and merging its lanes again would take longer. */
const worthwhileFrom = 50_000;
const shardsDefault = 4;
export const shardsMax = 64;

/**
 * Whether the rows of a projection may be filled side by side: two lanes must never write one row, so each row must belong
 * to one key of events. That is known where the primary key is the key of every contract and `rows` is not used. While it
 * is filled, each event is checked against it (see `Folding`): a schema or an upcaster may make another value of a key.
 */
export const isShardable = (definition: ConsumerDefinition): boolean => {
  const { form, rows, table } = definition as unknown as FoldingProjection;
  if (form !== 'fold' || rows !== null) return false;
  const names = table.keyColumns.map((column) => column.name).join();
  return definition.contracts.every(({ key }) => [key].flat().join() === names);
};

/** Into how many lanes a build of this log is split. */
export const shardsFor = (
  definition: ConsumerDefinition,
  { head, wanted }: { readonly head: number; readonly wanted: number | null },
): number => {
  if (!isShardable(definition)) return 1;
  return wanted ?? (head < worthwhileFrom ? 1 : shardsDefault);
};
