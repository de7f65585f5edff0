import type { Draft } from '../../contracts/index.ts';
import { contextOfTrace, failSpan, isTracing, type Span } from '../../foundation/index.ts';
import { currentCause } from './cause.ts';
import type { StoringOptions } from './stored-drafts.ts';

/** The span over the write of one transaction's events: events made inside `run` carry it as their trace parent. */
export interface PublishSpan {
  run<T>(work: () => T): T;
  end(): void;
  fail(error: unknown): void;
}

const none: PublishSpan = { run: (work) => work(), end: () => {}, fail: () => {} };

const attributesOf = (drafts: readonly Draft[]) => ({
  'messaging.system': 'factline',
  'messaging.operation.type': 'send',
  // One type is the usual case; several are named in the order of publishing.
  'factline.type': [...new Set(drafts.map(({ type }) => type))].join(','),
  'factline.events': drafts.length,
});

/** Begins where the events are written, so the user's own work in the transaction is not part of it. */
export const startPublishSpan = (drafts: readonly Draft[], options: StoringOptions): PublishSpan => {
  const { telemetry, cause = currentCause.getStore() } = options;
  if (telemetry === undefined) return none;
  const { traceparent, tracestate } = cause ?? {};
  // Inside a handler its span is active; without that the event that is being handled is the parent.
  const parent = isTracing()
    ? undefined
    : contextOfTrace({ ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) });
  const span: Span = telemetry.startSpan('factline.publish', attributesOf(drafts), parent);
  return {
    run: (work) => telemetry.inSpan(span, work),
    end: () => span.end(),
    fail: (error) => {
      failSpan(span, error);
      span.end();
    },
  };
};
