import {
  coarseHandlingBuckets,
  coarseLatencyBuckets,
  handlingBuckets,
  latencyBuckets,
} from './telemetry-catalogue/buckets.ts';
import { workflowEvents } from './telemetry-catalogue/workflow-events.ts';
import { workflowMetrics } from './telemetry-catalogue/workflow-metrics.ts';

/**
 * Every metric, span and event that Factline emits. Nothing is emitted that does not stand here (the types see to it);
 * names are public: dashboards and alerts rest on them. Sorted by subject, then by name.
 */
export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: 'events' | 'seconds' | 'count' | 'position' | 'boolean' | 'bytes' | 'ratio';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets, rising; the last one, +Inf, is implied. */
  readonly buckets?: readonly number[];
  /** Those of them that a process shows that has more than `fineSeriesMax` series of the histogram. */
  readonly coarseBuckets?: readonly number[];
}

export interface SpanEntry {
  readonly kind: 'internal' | 'producer' | 'consumer' | 'client';
  readonly attributes: readonly string[];
  readonly when: string;
}

export interface TelemetryEventEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: readonly string[];
  readonly when: string;
}

export const metrics = {
  factline_alert_deliveries_total: {
    type: 'counter',
    unit: 'count',
    labels: ['receiver', 'outcome'],
    help: 'Messages about alerts by receiver and outcome: delivered, failed (and tried again later).',
  },
  factline_breaker_open: {
    type: 'gauge',
    unit: 'boolean',
    labels: ['consumer'],
    help: '1 while the breaker of the consumer is open.',
  },
  factline_checkpoint_position: {
    type: 'gauge',
    unit: 'position',
    labels: ['consumer'],
    help: 'The lowest checkpoint over the lanes that this process owns.',
  },
  factline_consumer_unhandled: {
    type: 'gauge',
    unit: 'events',
    labels: ['consumer'],
    help: 'Events that are neither handled nor quarantined; a lower bound while the backlog is long.',
  },
  factline_consumer_verdict: {
    type: 'gauge',
    unit: 'boolean',
    labels: ['consumer', 'verdict'],
    help: '1 for the present verdict of the consumer, which is OK, LATE, STALLED, PAUSED or UNKNOWN; the others have no series.',
  },
  factline_duplicates_suppressed_total: {
    type: 'counter',
    unit: 'events',
    labels: ['consumer'],
    help: 'Deliveries that found their event already handled.',
  },
  factline_effects_total: {
    type: 'counter',
    unit: 'count',
    labels: ['consumer', 'outcome'],
    help: 'Effects by outcome: done, reused, failed, unknown.',
  },
  factline_error_budget_spent: {
    type: 'gauge',
    unit: 'ratio',
    labels: ['consumer'],
    help: 'Share of the error budget of 30 days that late and quarantined events have spent; 1 is all of it. Absent without events.',
  },
  factline_events_handled_total: {
    type: 'counter',
    unit: 'events',
    labels: ['consumer'],
    help: 'Events handled and committed.',
  },
  factline_events_published_total: {
    type: 'counter',
    unit: 'events',
    labels: ['type'],
    help: 'Events written to the log and committed by this process (of a foreign transaction: written).',
  },
  factline_handle_attempts_total: {
    type: 'counter',
    unit: 'count',
    labels: ['consumer', 'outcome'],
    help: 'Attempts by outcome: handled, transient, unclassified, permanent, poison, timeout, lost.',
  },
  factline_handle_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Time from entering the handler to its commit.',
    buckets: handlingBuckets,
    coarseBuckets: coarseHandlingBuckets,
  },
  factline_handle_latency_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Time from the recording of an event to its handling.',
    buckets: latencyBuckets,
    coarseBuckets: coarseLatencyBuckets,
  },
  factline_handled_within_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'What the consumer promises: the age from which an unhandled event is late.',
  },
  factline_in_flight: {
    type: 'gauge',
    unit: 'events',
    labels: ['consumer'],
    help: 'Events that a handler works on at this moment.',
  },
  factline_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Age of the oldest unhandled event, measured in the log.',
  },
  factline_lane_takeovers_total: {
    type: 'counter',
    unit: 'count',
    labels: ['consumer'],
    help: 'Lanes that this process took from another one, or found free.',
  },
  factline_lanes_owned: {
    type: 'gauge',
    unit: 'count',
    labels: ['consumer'],
    help: 'Lanes that this process owns.',
  },
  factline_leases_lost_total: {
    type: 'counter',
    unit: 'count',
    labels: ['consumer'],
    help: 'Lanes that this process lost without having given them up.',
  },
  factline_listener_errors_total: {
    type: 'counter',
    unit: 'count',
    labels: ['event'],
    help: 'Telemetry listeners that threw; the engine went on.',
  },
  factline_measurement_up: {
    type: 'gauge',
    unit: 'boolean',
    labels: [],
    help: '1 when the lag could be measured within the last 15 seconds, else 0; the other figures of consumers are then absent.',
  },
  factline_parked: {
    type: 'gauge',
    unit: 'events',
    labels: ['consumer', 'state'],
    help: 'Parked events by state: retrying, waiting. Those in quarantine are factline_quarantined.',
  },
  factline_partitions_ahead: {
    type: 'gauge',
    unit: 'count',
    labels: [],
    help: 'Empty partitions of the log beyond the newest event; fewer than three is a verdict.',
  },
  factline_pool_connections: {
    type: 'gauge',
    unit: 'count',
    labels: ['pool', 'state'],
    help: 'Connections of each pool by state: busy, idle, waiting.',
  },
  factline_quarantine_escalation: {
    type: 'gauge',
    unit: 'count',
    labels: ['consumer'],
    help: 'The highest level of on-call that should know of a group in quarantine: 0 to 4. Looked at once a minute.',
  },
  factline_quarantine_oldest_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Age of the oldest event in quarantine; absent when there is none.',
  },
  factline_quarantined: {
    type: 'gauge',
    unit: 'events',
    labels: ['consumer'],
    help: 'Events in quarantine.',
  },
  factline_replay_events_total: {
    type: 'counter',
    unit: 'count',
    labels: ['consumer', 'outcome'],
    help: 'Events that a governed replay delivered again, by outcome: handled, retried, failed.',
  },
  factline_requests_total: {
    type: 'counter',
    unit: 'count',
    labels: ['type', 'outcome'],
    help: 'Requests by outcome: answered, timed out, given up (the app stopped, or the reply could not be read).',
  },
  factline_slo_events_total: {
    type: 'counter',
    unit: 'events',
    labels: ['consumer'],
    help: 'Events that this process sampled for the promise of the consumer; of several processes one counts each. Sum over them.',
  },
  factline_slo_failed_total: {
    type: 'counter',
    unit: 'events',
    labels: ['consumer'],
    help: 'Of factline_slo_events_total: late or quarantined.',
  },
  factline_tail_blocked_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How long the tail has been waiting for an open publishing transaction; 0 when it is not.',
  },
  factline_tail_head_position: {
    type: 'gauge',
    unit: 'position',
    labels: [],
    help: 'The highest position seen.',
  },
  factline_tail_polls_total: {
    type: 'counter',
    unit: 'count',
    labels: ['reason'],
    help: 'Reads of the log by reason: wake, hint, poll, gap.',
  },
  factline_tail_settled_position: {
    type: 'gauge',
    unit: 'position',
    labels: [],
    help: 'The position below which nothing can become visible any more.',
  },
  factline_time_to_breach_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Until the lag exceeds the promise at the present rate, 0 when it does; absent when it is not growing or not known.',
  },
  factline_time_to_drain_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'Until the backlog is worked off at the present rate; absent when it is not shrinking or not known.',
  },
  ...workflowMetrics,
} as const satisfies Readonly<Record<string, MetricEntry>>;

export const spans = {
  'factline.effect': {
    kind: 'client',
    attributes: ['factline.consumer', 'factline.effect'],
    when: 'A call of an effect; child of the attempt. What a retry takes from the ledger has none: nothing happens outside.',
  },
  'factline.handle': {
    kind: 'consumer',
    attributes: [
      'messaging.system',
      'messaging.operation.type',
      'messaging.message.id',
      'factline.consumer',
      'factline.type',
      'factline.key',
      'factline.position',
      'factline.attempt',
      'factline.replay.id',
      'factline.replay.mode',
    ],
    when: 'One attempt of an operational handler; child of the span that published the event. Under a replay a trace of its own, with a link to that span.',
  },
  'factline.publish': {
    kind: 'producer',
    attributes: ['messaging.system', 'messaging.operation.type', 'factline.type', 'factline.events'],
    when: 'The write of the events of one transaction.',
  },
  'factline.workflow.step': {
    kind: 'internal',
    attributes: [
      'factline.workflow',
      'factline.instance',
      'factline.key',
      'factline.step',
      'factline.attempt',
    ],
    when: 'One attempt at a step of a workflow, or at its undo; child of the span that started the instance.',
  },
} as const satisfies Readonly<Record<string, SpanEntry>>;

export const telemetryEvents = {
  'alert.fired': {
    level: 'error',
    fields: ['id', 'key', 'severity', 'summary'],
    when: 'An alert began to fire.',
  },
  'alert.not-delivered': {
    level: 'warn',
    fields: ['receiver', 'message', 'attempt', 'reason'],
    when: 'A receiver did not take a message about alerts; it is tried again.',
  },
  'alert.resolved': {
    level: 'info',
    fields: ['id', 'key', 'severity', 'summary'],
    when: 'What an alert was about is over.',
  },
  'breaker.closed': { level: 'info', fields: ['consumer', 'reason'], when: 'A breaker closed.' },
  'breaker.opened': {
    level: 'warn',
    fields: ['consumer', 'fingerprint', 'reason'],
    when: 'A breaker opened; the consumer is PAUSED.',
  },
  'connections.severed': {
    level: 'warn',
    fields: ['connections', 'silentMs'],
    when: 'Nobody answered the heartbeat: this process gave up connections over which nothing may come any more.',
  },
  'consumer.registered': {
    level: 'info',
    fields: ['consumer', 'id', 'startPosition'],
    when: 'A consumer was registered for the first time.',
  },
  'contract.deprecated': {
    level: 'warn',
    fields: ['type', 'since', 'until', 'replacement'],
    when: 'This process published a deprecated event for the first time; it goes on doing so.',
  },
  'engine.error': {
    level: 'error',
    fields: ['unit', 'error'],
    when: 'A loop failed and goes on after a pause.',
  },
  'event.attempt-failed': {
    level: 'warn',
    fields: ['consumer', 'eventId', 'position', 'attempt', 'failureClass', 'error'],
    when: 'One attempt failed.',
  },
  'event.failed-after-commit': {
    level: 'warn',
    fields: ['consumer', 'eventId', 'position', 'error'],
    when: 'A handler threw after its transaction had committed; the event stays handled.',
  },
  'event.handled': {
    level: 'debug',
    fields: ['consumer', 'eventId', 'position', 'attempt', 'durationMs'],
    when: 'An operational handler committed.',
  },
  'generation.changed': {
    level: 'info',
    fields: ['consumer', 'generation', 'barrier'],
    when: 'Another declaration leads the consumer.',
  },
  'generation.registered': {
    level: 'info',
    fields: ['consumer', 'generation', 'barrier'],
    when: 'Code with another declaration was registered; it leads once all lanes stand at the barrier.',
  },
  'lane.lost': {
    level: 'warn',
    fields: ['consumer', 'lane', 'token'],
    when: 'A lane was lost without having been given up.',
  },
  'lane.released': {
    level: 'info',
    fields: ['consumer', 'lane', 'token'],
    when: 'A lane was given up in order.',
  },
  'lane.taken': {
    level: 'info',
    fields: ['consumer', 'lane', 'token', 'clean'],
    when: 'A lane was taken; `clean` says whether its previous owner gave it up.',
  },
  'log.warning': {
    level: 'warn',
    fields: ['warning'],
    when: 'The start check found something that does not stop reading.',
  },
  'migration.applied': {
    level: 'info',
    fields: ['migration'],
    when: 'A migration was applied.',
  },
  'process.joined': {
    level: 'info',
    fields: ['processId', 'incarnation'],
    when: 'This process is registered and beats.',
  },
  'process.left': {
    level: 'info',
    fields: ['processId', 'incarnation'],
    when: 'This process has gone in order.',
  },
  'process.suspended': {
    level: 'warn',
    fields: ['processId', 'reason'],
    when: 'This process stops dispatching because it may have lost its leases.',
  },
  'projection.rebuilt': {
    level: 'info',
    fields: ['consumer', 'build', 'events', 'durationMs'],
    when: 'A build caught up and its view was moved.',
  },
  'quarantine.added': {
    level: 'warn',
    fields: ['consumer', 'id', 'eventId', 'key', 'position', 'error'],
    when: 'An event and the followers of its key are in quarantine.',
  },
  'quarantine.discarded': {
    level: 'warn',
    fields: ['consumer', 'id', 'eventId', 'by', 'reason'],
    when: 'A person discarded a parked event.',
  },
  'quarantine.escalated': {
    level: 'warn',
    fields: ['group', 'consumer', 'eventType', 'keys', 'level', 'owner', 'assignedTo'],
    when: 'A group in quarantine has waited so long that the next level of on-call should know.',
  },
  'quarantine.growing': {
    level: 'error',
    fields: ['group', 'consumer', 'eventType', 'keys', 'level', 'owner', 'assignedTo'],
    when: 'A group in quarantine grows by ten keys a minute or more.',
  },
  'quarantine.released': {
    level: 'info',
    fields: ['consumer', 'id', 'eventId'],
    when: 'A parked event was handled after a retry.',
  },
  'replay.moved': {
    level: 'info',
    fields: ['replay', 'consumer', 'state', 'reason'],
    when: 'A governed replay went on to its next state by itself: ramped up, paused by a guard, verifying.',
  },
  'tail.blocked': {
    level: 'warn',
    fields: ['pid', 'query', 'ageMs', 'position'],
    when: 'The tail waits for an open publishing transaction.',
  },
  'tail.late-arrival': {
    level: 'error',
    fields: ['position', 'settled'],
    when: 'A position became visible below the settled one.',
  },
  'tail.session-lost': {
    level: 'warn',
    fields: ['error'],
    when: 'The direct session ended; it is opened again.',
  },
  'tail.unblocked': {
    level: 'info',
    fields: ['blockedMs'],
    when: 'The transaction that was waited for has ended.',
  },
  ...workflowEvents,
} as const satisfies Readonly<Record<string, TelemetryEventEntry>>;

type LabelsOf<Labels extends readonly string[]> = { readonly [Label in Labels[number]]: string };

export type MetricName = keyof typeof metrics;
export type MetricOfType<Type extends MetricEntry['type']> = {
  [Name in MetricName]: (typeof metrics)[Name]['type'] extends Type ? Name : never;
}[MetricName];
export type MetricLabels<Name extends MetricName> = LabelsOf<(typeof metrics)[Name]['labels']>;

export type SpanName = keyof typeof spans;
export type SpanAttributes<Name extends SpanName> = {
  readonly [Attribute in (typeof spans)[Name]['attributes'][number]]?: string | number | boolean;
};

export type TelemetryEventName = keyof typeof telemetryEvents;
export type TelemetryFields<Name extends TelemetryEventName> = {
  readonly [Field in (typeof telemetryEvents)[Name]['fields'][number]]: unknown;
};
