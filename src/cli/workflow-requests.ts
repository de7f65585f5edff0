import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import {
  awaitAnswer,
  findInstance,
  type InstanceSummary,
  type PersonsRequest,
  sendRequest,
} from '../operations/index.ts';
import { type ActName, perform } from '../replay/index.ts';
import { actorOf, personOf } from './actor.ts';
import type { CommandContext, JsonField } from './command.ts';
import { jsonText } from './json-text.ts';
import { duration } from './parse.ts';

export const instanceAnswerFields: readonly JsonField[] = [
  { name: 'request, id, workflow, verb', help: 'What was asked, of which instance.' },
  { name: 'state', help: 'done, or open with --no-wait.' },
  { name: 'answer', help: 'What the process that runs it answered; null while open.' },
  { name: 'instance', help: 'As in `workflow list`, afterwards.' },
];

/** What people may ask of an instance, and what each is on record. */
const actOf = {
  cancel: 'workflow.cancel',
  retry: 'workflow.retry',
  skip: 'workflow.skip',
  compensate: 'workflow.compensate',
  patch: 'workflow.patch',
  fork: 'workflow.fork',
} as const satisfies Readonly<Record<string, ActName>>;

export interface InstanceAct {
  readonly instance: InstanceSummary;
  readonly verb: keyof typeof actOf;
  /** Beside the number of the instance. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Facts for the record, without payloads. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** One line for people: what has become of it. */
  readonly said: (answer: Readonly<Record<string, unknown>>, now: InstanceSummary) => string;
}

/** Asks the process that runs the instance, on record, and waits for its answer unless --no-wait was given. */
export const carryOutAct = async (
  context: CommandContext,
  pool: pg.Pool,
  act: InstanceAct,
): Promise<undefined> => {
  const { given, clock, signal, terminal, style, json } = context;
  const { instance, verb } = act;
  const withinMs = duration(given, 'within', '30s');
  const request: PersonsRequest = {
    consumer: instance.executor,
    verb,
    arguments: { instance: instance.id, ...act.arguments },
    ...personOf(context),
  };
  const id = await askOnRecord(context, pool, { act, request });
  const facts = { request: id, id: instance.id, workflow: instance.workflow, verb };
  if (given.has('no-wait')) {
    if (json) terminal.out(jsonText({ ...facts, state: 'open', answer: null, instance }));
    else terminal.out(`asked for as request ${id}; the process that runs the instance carries it out`);
    return undefined;
  }
  const { answer } = await awaitAnswer(pool, { id, request, withinMs, clock, signal }).catch((error) => {
    throw refusalOf(instance, error);
  });
  const now = await findInstance(pool, instance.id);
  if (json) terminal.out(jsonText({ ...facts, state: 'done', answer, instance: now }));
  else terminal.out(`${style.green('✓')} ${act.said(answer, now)}`);
  return undefined;
};

/** In the words of who looks at instances: they know neither requests nor executors. */
const refusalOf = ({ id }: InstanceSummary, error: unknown): unknown => {
  if (!FactlineError.is(error, 'REQUEST_REFUSED')) return error;
  return new FactlineError('WORKFLOW_ACT_REFUSED', { id, reason: error.details['reason'] }, { cause: error });
};

/** The request and the record of it commit together. */
const askOnRecord = async (
  context: CommandContext,
  pool: pg.Pool,
  { act, request }: { readonly act: InstanceAct; readonly request: PersonsRequest },
): Promise<number> => {
  const actor = await actorOf(context, pool);
  const { instance, verb } = act;
  return perform(
    pool,
    {
      actor,
      act: actOf[verb],
      target: `workflow instance ${instance.id}`,
      reason: request.reason,
      details: (id: number) => ({ workflow: instance.workflow, request: id, ...act.details }),
    },
    (client) => sendRequest(client, request),
  );
};
