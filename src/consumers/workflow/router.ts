import type { FactEvent } from '../../contracts/index.ts';
import { currentTrace, defaultRetryPolicies, FactlineError } from '../../foundation/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import type { Handler, HandlerContext } from '../operational/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { AnyWorkflow } from './definition.ts';
import { hubOf } from './hub.ts';
import { freshInstance, reserveSlot, type Start, type StartOutcome, startInstance } from './starting.ts';
import type { RouterDefinition } from './versions.ts';

const sql = loadQueries<'deliver_mail' | 'wake_waiting' | 'read_mail' | 'purge_mail'>(
  new URL('./routing.sql', import.meta.url),
);

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
  return {
    ...definition,
    class: 'operational',
    repairs: {},
    handle: async (event, context) => route(definition, services, { event, context }),
    concurrency: routingConcurrency,
    rate: null,
    retryPolicies: { transient, unclassified },
    timeoutMs: routingTimeoutMs,
    onUnknown: 'repeat',
    onReplay: undefined,
  };
};

const route = async (
  definition: RouterDefinition,
  services: RunnerServices,
  { event, context }: { readonly event: FactEvent; readonly context: HandlerContext },
): Promise<void> => {
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
  if (definition.starts.has(event.type)) await startByEvent(definition, services, { event, context });
};

const startByEvent = async (
  definition: RouterDefinition,
  services: RunnerServices,
  { event, context }: { readonly event: FactEvent; readonly context: HandlerContext },
): Promise<void> => {
  const { database, testStep, telemetry } = services;
  const hub = hubOf(database);
  const workflow = definition.versions.find(({ version }) => version === definition.version) ?? definition;
  const start = startOf(workflow, event, services);
  const slot = reserveSlot(hub, start);
  let outcome: StartOutcome | undefined;
  let fresh: Parameters<typeof freshInstance>[1] | undefined;
  try {
    await testStep?.('workflow.before-start');
    await context.transaction(async (tx) => {
      const statement: Parameters<typeof startInstance>[0] = async (query, parameter) => {
        const rows = await run(tx.client, query, [parameter]);
        const [row] = rows;
        if (row?.['start_position'] !== undefined) fresh = storedOf(row);
        return rows;
      };
      outcome = await startInstance(statement, start, slot !== null);
    });
    await testStep?.('workflow.after-start');
  } catch (error) {
    slot?.cancel();
    throw error;
  }
  if (outcome?.kind === 'started' && fresh !== undefined) {
    if (slot !== null) slot.give(freshInstance(start, fresh));
    else hub.wake([{ id: fresh.id, consumerId: fresh.consumerId }]);
    return;
  }
  slot?.cancel();
  if (outcome?.kind === 'queued' && outcome.consumerId !== null)
    hub.wake([{ id: outcome.id, consumerId: outcome.consumerId }]);
  if (outcome?.kind === 'rejected') {
    const { living } = outcome;
    telemetry.emit('workflow.start-rejected', {
      workflow: workflow.name,
      key: start.key,
      living,
      eventId: event.id,
    });
  }
};

/** The row of an instance that was made just now. */
export const storedOf = (row: Readonly<Record<string, unknown>>): Parameters<typeof freshInstance>[1] => ({
  id: Number(row['id']),
  workflowId: Number(row['workflow_id']),
  consumerId: Number(row['consumer_id']),
  startPosition: Number(row['start_position']),
});
