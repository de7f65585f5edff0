import { contractVersionOf } from '../../contracts/index.ts';
import type { FailureDescription, ParkFailure } from '../parked/index.ts';
import type { Entry } from './entry.ts';

/** What becomes of a failed event. */
export type FailedState =
  | { readonly state: 'retrying'; readonly reason: string; readonly delayMs: number }
  | { readonly state: 'quarantined'; readonly reason: string };

export interface Failed {
  readonly entry: Entry;
  readonly description: FailureDescription;
  /** Of the event; without what its contract hides. */
  readonly shownKey: string;
  readonly attempts: number;
  readonly next: FailedState;
}

/** What is stored of a failure. */
export const failureRecord = (
  { entry, description, attempts }: Failed,
  app: { readonly codeVersion: string },
): ParkFailure => {
  const { event } = entry;
  const { traceparent } = JSON.parse(event.meta) as { traceparent?: string };
  return {
    ...description,
    position: entry.position,
    attempts,
    eventId: event.id,
    eventType: event.type,
    contractVersion: `v${contractVersionOf(event.type)}`,
    codeVersion: app.codeVersion,
    traceparent: traceparent ?? null,
  };
};
