import { FactlineError } from '../../foundation/index.ts';
import { findInstance, type InstanceSummary } from '../../operations/index.ts';
import { personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { waitOptions } from '../requests.ts';
import { carryOutAct, type InstanceAct, instanceAnswerFields } from '../workflow-requests.ts';
import { instanceArgument, instanceNumber } from './workflow.ts';

export const actOptions = [...personOptions, ...waitOptions, ...databaseOptions];

/** @throws FactlineError OPTION_INVALID */
export const requireReason = (context: CommandContext): void => {
  if (personOf(context).reason !== undefined) return;
  throw new FactlineError('OPTION_INVALID', {
    option: '--reason',
    expected: 'why, for the record',
    actual: 'none',
  });
};

/** Looks the instance up, and asks the process that runs it. */
export const actOn = (
  context: CommandContext,
  make: (instance: InstanceSummary, connected: Connected) => Promise<Omit<InstanceAct, 'instance'>>,
): Promise<undefined> =>
  withDatabase(context, async (connected) => {
    const pool = connected.database.operations;
    const instance = await findInstance(pool, instanceNumber(context.given.arguments[0]));
    return carryOutAct(context, pool, { instance, ...(await make(instance, connected)) });
  });

export const workflowCancel: Command = {
  path: ['workflow', 'cancel'],
  summary: 'End an instance; the undos of its finished steps run, the last one first.',
  arguments: [instanceArgument],
  description:
    'Asks the process that runs the instance to stop it: what it waits for is given up, the signal of a running step aborts, then its finished steps are taken back. It ends as cancelled.',
  options: actOptions,
  examples: [
    { line: 'factline workflow cancel 12 --reason "the customer called"', does: 'and what it did is undone' },
  ],
  json: instanceAnswerFields,
  run: async (context) => {
    requireReason(context);
    return actOn(context, async ({ id }) => ({
      verb: 'cancel',
      said: (_answer, now) => `#${id} is cancelled${now.state === 'cancelled' ? '' : `: ${now.state}`}`,
    }));
  },
};

export const workflowRetry: Command = {
  path: ['workflow', 'retry'],
  summary: 'Let a stuck instance go on, after what stopped it was mended.',
  arguments: [instanceArgument],
  description:
    'For an instance that is stuck: its journal is run again with the present code, from its beginning; a failed compensation gets all its attempts again.',
  options: actOptions,
  examples: [
    { line: 'factline workflow retry 12 --reason "fixed in 2.4.1"', does: 'and see what becomes of it' },
  ],
  json: instanceAnswerFields,
  run: (context) =>
    actOn(context, async ({ id }) => ({
      verb: 'retry',
      said: (_answer, now) => `#${id} goes on: ${now.state}`,
    })),
};

export const workflowFork: Command = {
  path: ['workflow', 'fork'],
  summary: 'Begin a new instance with the journal of another one up to a step.',
  arguments: [instanceArgument],
  description:
    'What the journal has up to the result of the step is taken over and does not run again; everything after it runs, with idempotency keys of the new instance. For trying mended code on what really happened, and for going on from a point of an instance that failed. The other one stays as it is.',
  options: [
    {
      name: 'after-step',
      value: 'NAME',
      help: 'The last step that is taken over. Default: none, it begins anew with the same input.',
    },
    {
      name: 'key',
      value: 'KEY',
      help: 'The correlation key of the new one. Default: the same, which is refused while one lives.',
    },
    ...actOptions,
  ],
  examples: [
    {
      line: 'factline workflow fork 12 --after-step authorise --reason "wrong amount"',
      does: 'what comes after authorise runs',
    },
  ],
  json: instanceAnswerFields,
  run: async (context) => {
    const { given } = context;
    requireReason(context);
    const step = given.text('after-step');
    const key = given.text('key');
    return actOn(context, async ({ id }) => ({
      verb: 'fork',
      arguments: { ...(step === undefined ? {} : { step }), ...(key === undefined ? {} : { key }) },
      details: step === undefined ? {} : { step },
      said: ({ instance }) => `#${id} was forked: factline workflow show ${String(instance)}`,
    }));
  },
};
