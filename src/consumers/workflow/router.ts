import type { FactEvent } from '../../contracts/index.ts';
import { currentTrace, defaultRetryPolicies, FactlineError } from '../../foundation/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import type { Handler, HandlerContext, OwnCommit } from '../operational/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { AnyWorkflow } from './definition.ts';
import { EventStarts } from './event-starts.ts';
import { hubOf } from './hub.ts';
import {
  freshInstance,
  noteRejected,
  reserveSlot,
  type Start,
  type StartOutcome,
  type StartStatement,
  startInstance,
} from './starting.ts';
import { executorName, type RouterDefinition } from './versions.ts';

const sql = loadQueries<'deliver_mail' | 'wake_waiting'>(new URL('./routing.sql', import.meta.url));

const keyBytesMax = 1_024;
const routingConcurrency = 20;
const routingTimeoutMs = 30_000;

/** @throws FactlineError WORKFLOW_KEY_INVALID */
export const checkedKey = (workflow: string, key: unknown): string => {
  if (
    typeof key === 'string' &&
    key !== '' &&
    Buffer.byteLength(key) <= keyBytesMax &&
    !key.includes('\u0000') &&
    key.isWellFormed()
  )
    return key;
  throw new FactlineError('WORKFLOW_KEY_INVALID', { workflow, actual: JSON.stringify(key) ?? String(key) });
};

const startOf = (workflow: AnyWorkflow, event: FactEvent, services: RunnerServices): Start => {
  const { correlationId, id, position, traceparent, tracestate } = event;
  const carried = { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
  return {
    workflow,
    key: checkedKey(workflow.name, workflow.key === null ? event.subject : workflow.key(event)),
    inputText: JSON.stringify(event),
    startedBy: position,
    eventId: id,
    cause: { correlationId, causationId: id, ...currentTrace(carried) },
    codeVersion: services.app.codeVersion,
  };
};

/**
 * What reads the log for a workflow: an operational consumer whose handler is ours. An event that may be waited for goes into the
 * mailbox and is committed there before waits are looked for; one that starts an instance does so in the transaction that
 * records it as handled. What the user's `key` throws is a failure of the event like any other.
 */
export const routerHandler = (definition: RouterDefinition, services: RunnerServices): Handler => {
  const { transient, unclassified } = defaultRetryPolicies;
  const routing = { definition, services, starts: new EventStarts(services) };
  return {
    ...definition,
    class: 'operational',
    repairs: {},
    handle: (event, context) => route(routing, { event, context, ownCommit: noOwnCommit }),
    handleWithOwnCommit: (event, context, ownCommit) => route(routing, { event, context, ownCommit }),
    concurrency: routingConcurrency,
    rate: null,
    retryPolicies: { transient, unclassified },
    timeoutMs: routingTimeoutMs,
    onUnknown: 'repeat',
    onReplay: undefined,
  };
};

const noOwnCommit: OwnCommit = async () => null;

interface Routing {
  readonly definition: RouterDefinition;
  readonly services: RunnerServices;
  readonly starts: EventStarts;
}

interface Delivery {
  readonly event: FactEvent;
  readonly context: HandlerContext;
  readonly ownCommit: OwnCommit;
}

const route = async (routing: Routing, delivery: Delivery): Promise<void> => {
  const { definition, services } = routing;
  const { event } = delivery;
  const { database, testStep, consumer } = services;
  if (definition.awaited.has(event.type)) {
    const place = [consumer.id, event.type, event.subject, event.position];
    await testStep?.('workflow.before-mail');
    await run(database.operations, sql.deliver_mail, place);
    await testStep?.('workflow.after-mail');
    await testStep?.('workflow.before-wake');
    const woken = await run(database.operations, sql.wake_waiting, place);
    await testStep?.('workflow.after-wake');
    hubOf(database).wake(
      woken.map((row) => ({ id: row['id'] as number, consumerId: row['consumer_id'] as number })),
    );
  }
  if (definition.starts.has(event.type)) await startByEvent(routing, delivery);
};

/** An instance that was started here, with its row; or what became of the event instead. */
interface Begun {
  readonly outcome: StartOutcome;
  readonly stored: StoredStart | null;
}

const startByEvent = async (routing: Routing, delivery: Delivery): Promise<void> => {
  const { definition, services } = routing;
  const { database, testStep, telemetry } = services;
  const { event } = delivery;
  const hub = hubOf(database);
  const workflow = definition.versions.find(({ version }) => version === definition.version) ?? definition;
  const start = startOf(workflow, event, services);
  const slot = reserveSlot(hub, start);
  const held = slot !== null;
  let begun: Begun;
  try {
    await testStep?.('workflow.before-start');
    begun =
      (await startAlone(routing, delivery, { start, held })) ?? (await startOrNot(delivery, { start, held }));
    await testStep?.('workflow.after-start');
  } catch (error) {
    slot?.cancel();
    throw error;
  }
  const { outcome, stored } = begun;
  if (stored !== null) {
    if (slot !== null) slot.give(freshInstance(start, stored));
    else hub.wake([stored]);
    return;
  }
  slot?.cancel();
  if (outcome.kind === 'queued' && outcome.consumerId !== null)
    hub.wake([{ id: outcome.id, consumerId: outcome.consumerId }]);
  if (outcome.kind === 'rejected') {
    const { living } = outcome;
    telemetry.emit('workflow.start-rejected', {
      workflow: workflow.name,
      key: start.key,
      living,
      eventId: event.id,
    });
  }
};

/** The usual case, in one statement; null: something stands in its way. */
const startAlone = async (
  { services, starts }: Routing,
  { event, ownCommit }: Delivery,
  { start, held }: { readonly start: Start; readonly held: boolean },
): Promise<Begun | null> => {
  const { name, version } = start.workflow;
  const consumerId = hubOf(services.database).door(executorName(name, version))?.consumerId;
  if (consumerId === undefined) return null;
  const id = await ownCommit((place) => starts.start({ start, place, executor: consumerId, held }));
  if (id === null) return null;
  const stored = { id, workflowId: services.consumer.id, consumerId, startPosition: event.position };
  return { outcome: { kind: 'started', id, consumerId }, stored };
};

/** In a transaction that finds out what stands in the way of a start. */
const startOrNot = async (
  { context }: Delivery,
  { start, held }: { readonly start: Start; readonly held: boolean },
): Promise<Begun> => {
  const made: StoredStart[] = [];
  const outcome = await context.transaction(async (tx) => {
    const statement: StartStatement = async (query, parameter) => {
      const rows = await run(tx.client, query, [parameter]);
      made.push(...rows.filter((row) => row['start_position'] !== undefined).map(storedOf));
      return rows;
    };
    const found = await startInstance(statement, start, held);
    if (found.kind === 'rejected') await noteRejected(statement, start, found.living);
    return found;
  });
  return { outcome, stored: outcome.kind === 'started' ? (made[0] ?? null) : null };
};

type StoredStart = Parameters<typeof freshInstance>[1];

/** The row of an instance that was made just now. */
export const storedOf = (row: Readonly<Record<string, unknown>>): StoredStart => ({
  id: Number(row['id']),
  workflowId: Number(row['workflow_id']),
  consumerId: Number(row['consumer_id']),
  startPosition: Number(row['start_position']),
});
