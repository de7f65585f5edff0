import type { ContractSet } from '../../contracts/index.ts';
import { type EventBatch, publishingTransaction } from '../../log/index.ts';
import { Breaker } from '../breaker/index.ts';
import { contractSetOf } from '../definition.ts';
import type { Fence, LaneSet } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import { CheckpointWriter } from './checkpoint-writer.ts';
import { DispatchLimit } from './dispatch-limit.ts';
import { Dispatcher } from './dispatcher.ts';
import { DueRetries } from './due-retries.ts';
import { EffectLedger } from './effect-ledger.ts';
import type { Handler } from './handler.ts';
import { Holds } from './holds.ts';
import { InboxWriter } from './inbox-writer.ts';
import { KeyParking } from './key-parking.ts';
import type { LaneWork } from './lane-work.ts';
import { OwnerRequests } from './owner-requests.ts';
import { ParkingWriter } from './parking-writer.ts';
import { RateLimiter } from './rate-limiter.ts';
import { Reader } from './reader.ts';
import { Redelivery } from './redelivery.ts';
import { Spilling } from './spilling.ts';
import { Suspects } from './suspects.ts';
import { Upkeep } from './upkeep.ts';
import { Window } from './window.ts';
import { Workload } from './workload.ts';

/*
 *   Reader ──events──► Workload (lanes, key queues) ──► Dispatcher ──► Attempt ──► COMMIT with the fence
 *      ▲ room              ▲     │ hot, slow               │ failed            └──► InboxWriter (no transaction of its own)
 *   Window ◄───────────────┘     └──► Spilling ──► KeyParking ──► ParkingWriter ──► parked
 *                                        DueRetries ──┘ │ rows
 *   Upkeep: CheckpointWriter, pruning, Breaker          └──► back into the Workload
 */
export interface RunnerParts {
  readonly contracts: ContractSet;
  readonly workload: Workload;
  readonly window: Window;
  readonly breaker: Breaker;
  readonly checkpoints: CheckpointWriter;
  readonly holds: Holds;
  readonly parking: KeyParking;
  readonly due: DueRetries;
  readonly redelivery: Redelivery;
  readonly limit: DispatchLimit;
  readonly dispatcher: Dispatcher;
  readonly reader: Reader;
  readonly spilling: Spilling;
  readonly upkeep: Upkeep;
  readonly requests: OwnerRequests;
}

/** What the parts tell the runner. */
export interface RunnerHooks {
  /** Something may begin, or be read, or has ended. */
  readonly onChange: () => void;
  readonly onLost: (lane: LaneWork) => void;
  readonly accept: (batch: EventBatch) => void;
  readonly paused: () => boolean;
}

const activeLanes = (workload: Workload): readonly LaneWork[] =>
  workload.laneList.filter((lane) => lane.active);

const laneSetOf = (workload: Workload): LaneSet | null => {
  const lanes = activeLanes(workload);
  const [any] = lanes;
  return any === undefined ? null : { laneCount: any.lease.laneCount, lanes: lanes.map((lane) => lane.lane) };
};

const fencesOfLanes = (workload: Workload): { laneCount: number; fences: Fence[] } => {
  const lanes = activeLanes(workload);
  const fences = lanes.map((lane) => ({ lane: lane.lane, token: lane.lease.token, position: 0 }));
  return { laneCount: lanes[0]?.lease.laneCount ?? 1, fences };
};

/** Makes the parts of a runner and ties them together. */
export const assembleParts = (
  handler: Handler,
  services: RunnerServices,
  hooks: RunnerHooks,
): RunnerParts => {
  const { database, clock, telemetry, tail, consumer } = services;
  const { onChange, onLost, accept } = hooks;
  const contracts = contractSetOf(handler);
  const workload = new Workload();
  const window = new Window(workload);
  const effects = new EffectLedger({ database, clock, consumer });
  const breaker: Breaker = breakerOf(services, workload, () => {
    if (breaker.open === null) due.check();
    onChange();
  });
  const checkpoints = new CheckpointWriter({
    services,
    lanes: () => workload.laneList,
    onLost,
    onBreakerOpen: () => breaker.notice(),
  });
  const holds = new Holds();
  const parking = parkingOf({ handler, services, workload, holds }, hooks, (delayMs) => due.expect(delayMs));
  const due: DueRetries = new DueRetries({
    services,
    lanes: () => laneSetOf(workload),
    allowed: () => !hooks.paused() && breaker.open === null,
    onDue: (key) => {
      const queue = workload.find(key);
      if (queue !== undefined) parking.want(queue);
    },
    onReplayed: () => redelivery.check(),
  });
  const redelivery = redeliveryOf({ handler, services, workload, breaker }, hooks);
  const limit = limitOf({ handler, services, workload, checkpoints }, onChange);
  const dispatcher = dispatcherOf(
    { handler, contracts, services, workload, parking, breaker, effects, limit, redelivery },
    hooks,
  );
  const reader = new Reader({
    tail,
    clock,
    telemetry,
    consumer: handler.name,
    room: () => window.room,
    accept,
  });
  const spilling = spillingOf({ handler, services, workload, window, parking, dispatcher });
  const upkeep = upkeepOf({ handler, services, workload, checkpoints, spilling, breaker, dispatcher });
  return {
    contracts,
    workload,
    window,
    breaker,
    checkpoints,
    holds,
    parking,
    due,
    redelivery,
    limit,
    dispatcher,
    reader,
    spilling,
    upkeep,
    requests: new OwnerRequests({ services, contracts, workload, parking, effects }),
  };
};

const upkeepOf = (parts: {
  readonly handler: Handler;
  readonly services: RunnerServices;
  readonly workload: Workload;
  readonly checkpoints: CheckpointWriter;
  readonly spilling: Spilling;
  readonly breaker: Breaker;
  readonly dispatcher: Dispatcher;
}): Upkeep => {
  const { handler, services, workload, checkpoints, spilling, breaker, dispatcher } = parts;
  const { clock, telemetry } = services;
  return new Upkeep({
    clock,
    telemetry,
    consumer: handler.name,
    workload,
    checkpoints,
    spilling,
    breaker,
    inFlight: () => dispatcher.inFlight,
    handled: () => dispatcher.handled,
  });
};

const breakerOf = (services: RunnerServices, workload: Workload, onChange: () => void): Breaker => {
  const { database, clock, telemetry, consumer, app, process } = services;
  return new Breaker({
    database,
    clock,
    telemetry,
    consumer,
    processId: process.id,
    codeVersion: app.codeVersion,
    lanes: () => fencesOfLanes(workload),
    onChange,
  });
};

const spillingOf = (parts: {
  readonly handler: Handler;
  readonly services: RunnerServices;
  readonly workload: Workload;
  readonly window: Window;
  readonly parking: KeyParking;
  readonly dispatcher: Dispatcher;
}): Spilling => {
  const { handler, services, workload, window, parking, dispatcher } = parts;
  return new Spilling({
    clock: services.clock,
    workload,
    window,
    parking,
    freeSlots: () => dispatcher.freeSlots,
    enabled: handler.ordering !== 'global',
  });
};

const redeliveryOf = (
  parts: {
    readonly handler: Handler;
    readonly services: RunnerServices;
    readonly workload: Workload;
    readonly breaker: Breaker;
  },
  { onLost, onChange, paused }: RunnerHooks,
): Redelivery => {
  const { handler, services, workload, breaker } = parts;
  return new Redelivery({
    services,
    workload,
    // Most stay free for live events, where there is more than one.
    slots: Math.max(1, Math.floor(handler.concurrency / 4)),
    allowed: () => !paused() && breaker.open === null,
    onLost,
    onChange,
  });
};

const limitOf = (
  parts: {
    readonly handler: Handler;
    readonly services: RunnerServices;
    readonly workload: Workload;
    readonly checkpoints: CheckpointWriter;
  },
  onRaised: () => void,
): DispatchLimit => {
  const { handler, services, workload, checkpoints } = parts;
  const { clock, telemetry } = services;
  return new DispatchLimit({
    clock,
    lanes: () => activeLanes(workload),
    write: (position) => checkpoints.write(position),
    onRaised,
    onError: (error) => telemetry.emit('engine.error', { unit: `dispatch limit of ${handler.name}`, error }),
  });
};

const parkingOf = (
  parts: {
    readonly handler: Handler;
    readonly services: RunnerServices;
    readonly workload: Workload;
    readonly holds: Holds;
  },
  { onChange, onLost }: RunnerHooks,
  onRetry: (delayMs: number) => void,
): KeyParking => {
  const { handler, services, workload, holds } = parts;
  const writer = new ParkingWriter(services);
  const { types } = handler;
  return new KeyParking({ services, workload, writer, types, holds, onLost, onChange, onRetry });
};

interface DispatcherParts {
  readonly handler: Handler;
  readonly contracts: ContractSet;
  readonly services: RunnerServices;
  readonly workload: Workload;
  readonly parking: KeyParking;
  readonly breaker: Breaker;
  readonly effects: EffectLedger;
  readonly limit: DispatchLimit;
  readonly redelivery: Redelivery;
}

const dispatcherOf = (parts: DispatcherParts, { onChange, onLost }: RunnerHooks): Dispatcher => {
  const { handler, contracts, services, workload, parking, breaker, effects, limit, redelivery } = parts;
  const { database, clock, telemetry, consumer } = services;
  const { rate } = handler;
  return new Dispatcher({
    tools: { handler, contracts, services, effects, transact: publishingTransaction },
    services,
    workload,
    parking,
    inbox: new InboxWriter(services),
    limiter:
      rate === null
        ? null
        : new RateLimiter({ database, clock, telemetry, consumer, rate, onPermit: onChange }),
    breaker,
    suspects: new Suspects(services, onChange),
    limit,
    redelivery,
    onLost,
    onChange,
  });
};
