import { defineEvent, type EventContract, type TypeName } from '../../contracts/index.ts';
import { type FactOf, factSchema } from './fact-schema.ts';

const pause = {
  consumer: 'text',
  /** `type shop.order.placed.v1`, `key orderId=A1`; null: the whole consumer. */
  part: 'text?',
  reason: 'text?',
  by: 'text?',
  until: 'text?',
  at: 'text',
} as const;
const key = {
  consumer: 'text',
  /** What people type: `quarantine show 7`. */
  number: 'number',
  /** Hidden where its contract says so. */
  key: 'text',
  position: 'number',
  type: 'text?',
  at: 'text',
} as const;
const released = { ...key, outcome: 'text' } as const;
const replay = { replay: 'number', consumer: 'text', state: 'text', at: 'text' } as const;
const alert = {
  alert: 'number',
  key: 'text',
  class: 'text',
  consumer: 'text',
  severity: 'text',
  level: 'number',
  summary: 'text',
  at: 'text',
} as const;

const owner = 'factline';
const kind = 'system';

type SystemEvent<T extends TypeName, Fields extends Parameters<typeof factSchema>[0]> = EventContract<
  T,
  FactOf<Fields>
>;

export interface SystemEvents {
  readonly consumerPaused: SystemEvent<'factline.consumer.paused.v1', typeof pause>;
  readonly consumerResumed: SystemEvent<'factline.consumer.resumed.v1', typeof pause>;
  readonly keyQuarantined: SystemEvent<'factline.key.quarantined.v1', typeof key>;
  readonly keyReleased: SystemEvent<'factline.key.released.v1', typeof released>;
  readonly replayFinished: SystemEvent<'factline.replay.finished.v1', typeof replay>;
  readonly alertFired: SystemEvent<'factline.alert.fired.v1', typeof alert>;
  readonly alertResolved: SystemEvent<'factline.alert.resolved.v1', typeof alert>;
}

/**
 * Factline's own facts, as events of your log: published by apps with `createFactline({ systemEvents: true })`, handled like any other.
 * Those of one consumer come in order.
 * @example
 * defineHandler({ name: 'tell-support', on: systemEvents.keyQuarantined, handle: async ({ data }) => … })
 */
export const systemEvents: SystemEvents = Object.freeze({
  consumerPaused: defineEvent({
    type: 'factline.consumer.paused.v1',
    key: 'consumer',
    schema: factSchema(pause),
    owner,
    kind,
  }),
  consumerResumed: defineEvent({
    type: 'factline.consumer.resumed.v1',
    key: 'consumer',
    schema: factSchema(pause),
    owner,
    kind,
  }),
  keyQuarantined: defineEvent({
    type: 'factline.key.quarantined.v1',
    key: 'consumer',
    schema: factSchema(key),
    owner,
    kind,
  }),
  keyReleased: defineEvent({
    type: 'factline.key.released.v1',
    key: 'consumer',
    schema: factSchema(released),
    owner,
    kind,
  }),
  replayFinished: defineEvent({
    type: 'factline.replay.finished.v1',
    key: 'consumer',
    schema: factSchema(replay),
    owner,
    kind,
  }),
  alertFired: defineEvent({
    type: 'factline.alert.fired.v1',
    key: 'consumer',
    schema: factSchema(alert),
    owner,
    kind,
  }),
  alertResolved: defineEvent({
    type: 'factline.alert.resolved.v1',
    key: 'consumer',
    schema: factSchema(alert),
    owner,
    kind,
  }),
});
