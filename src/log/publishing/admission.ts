import type { Draft, EventContract } from '../../contracts/index.ts';
import { FactlineError, systemClock } from '../../foundation/index.ts';
import type { StoringOptions } from './stored-drafts.ts';

/** Contracts whose deprecation this process has told. */
const told = new WeakSet<EventContract>();

const tellDeprecated = (
  contract: EventContract,
  { telemetry, clock = systemClock }: StoringOptions,
): void => {
  const { type, deprecated } = contract;
  if (deprecated === undefined || told.has(contract)) return;
  if (clock.wall().toISOString() < deprecated.since) return;
  told.add(contract);
  const { since, until, replacement = null } = deprecated;
  telemetry?.emit('contract.deprecated', { type, since, until, replacement });
};

/**
 * Lets the app publish these events, or not. A deprecated one is let through, also after its last day: the gate fails then, but
 * production does not stop at midnight.
 * @throws FactlineError PRODUCER_NOT_LISTED, before anything is written
 */
export const admitDrafts = (drafts: readonly Draft[], options: StoringOptions): void => {
  for (const { contract } of drafts) {
    const { type, producers } = contract;
    if (producers.length > 0 && !producers.includes(options.source))
      throw new FactlineError('PRODUCER_NOT_LISTED', { type, source: options.source, producers });
    tellDeprecated(contract, options);
  }
};
