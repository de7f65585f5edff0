import { FactlineError } from '../../foundation/index.ts';
import { findInstance, previewPatch, readPatch, refuseUnlessFailing } from '../../operations/index.ts';
import { permit } from '../../replay/index.ts';
import { actorOf } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { changeLines } from '../quarantine-view.ts';
import { instanceMask } from '../workflow-masking.ts';
import { carryOutAct, instanceAnswerFields } from '../workflow-requests.ts';
import { patchOf } from './quarantine-edit.ts';
import { instanceArgument, instanceNumber } from './workflow.ts';
import { actOn, actOptions, requireReason } from './workflow-acts.ts';

const stepOption = {
  name: 'step',
  value: 'NAME',
  help: 'The step, as `workflow show` has it. Required.',
} as const;

export const workflowRetryStep: Command = {
  path: ['workflow', 'repair', 'retry-step'],
  summary: 'Try a failing step, or its failed undo, again at once.',
  arguments: [instanceArgument],
  description:
    'A failed undo gets all its attempts again, and those of the steps before it follow; a step that waits for its next attempt does not wait any longer.',
  options: [stepOption, ...actOptions],
  examples: [
    {
      line: 'factline workflow repair retry-step 12 --step charge --reason "bank is up"',
      does: 'the undo of this step, then those that follow it',
    },
  ],
  json: instanceAnswerFields,
  run: async (context) => {
    requireReason(context);
    const step = requiredStep(context);
    return actOn(context, async ({ id }, { database }) => {
      await refuseUnlessFailing(database.operations, id, step);
      return {
        verb: 'retry',
        arguments: { step },
        details: { step },
        said: (_answer, now) => `#${id} tries ${step} again: ${now.state}`,
      };
    });
  },
};

export const workflowSkip: Command = {
  path: ['workflow', 'repair', 'skip'],
  summary: 'Count a failing step, or its failed undo, as done, with evidence, on record.',
  arguments: [instanceArgument],
  description:
    'For what was done or taken back by other means: the refund was made by hand, the parcel came back. The evidence stays with the instance and in the audit. A failed undo is passed over; a step that is being tried again counts as done with --result.',
  options: [
    stepOption,
    {
      name: 'evidence',
      value: 'TEXT',
      help: 'How it is known: a reference, a ticket, a receipt. Required.',
    },
    { name: 'result', value: 'JSON', help: 'Of a step: what it would have returned. Default: nothing.' },
    ...actOptions,
  ],
  examples: [
    {
      line: 'factline workflow repair skip 12 --step charge --evidence re_77 --reason lost',
      does: 'the compensation goes on with the step before it',
    },
  ],
  json: instanceAnswerFields,
  run: async (context) => {
    requireReason(context);
    const step = requiredStep(context);
    const evidence = context.given.text('evidence')?.trim();
    if (!evidence)
      throw new FactlineError('OPTION_INVALID', {
        option: '--evidence',
        expected: 'how it is known that it need not happen',
        actual: 'none',
      });
    const result = resultOf(context);
    return actOn(context, async ({ id }, { database }) => {
      await refuseUnlessFailing(database.operations, id, step);
      return {
        verb: 'skip',
        arguments: { step, evidence, ...(result === undefined ? {} : { result }) },
        details: { step, evidence },
        said: (_answer, now) => `${step} of #${id} is skipped, on record: ${now.state}`,
      };
    });
  },
};

/** @throws FactlineError OPTION_INVALID */
const resultOf = ({ given }: CommandContext): unknown => {
  const text = given.text('result');
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FactlineError(
      'OPTION_INVALID',
      { option: '--result', expected: 'JSON', actual: text },
      { cause: error },
    );
  }
};

export const workflowCompensateFrom: Command = {
  path: ['workflow', 'repair', 'compensate-from'],
  summary: 'Take an instance back from a step on: undos from that step down to the first.',
  arguments: [instanceArgument],
  description:
    'Ends an instance as failed by compensation that begins at this step: steps that finished after it are left as they are, this one and those before it are undone, the last one first.',
  options: [stepOption, ...actOptions],
  examples: [
    {
      line: 'factline workflow repair compensate-from 12 --step charge --reason "by hand"',
      does: 'charge, and what came before it',
    },
  ],
  json: instanceAnswerFields,
  run: async (context) => {
    requireReason(context);
    const step = requiredStep(context);
    return actOn(context, async ({ id }) => ({
      verb: 'compensate',
      arguments: { from: step },
      details: { step },
      said: (_answer, now) => `#${id} is taken back from ${step} on: ${now.state}`,
    }));
  },
};

export const workflowPatch: Command = {
  path: ['workflow', 'repair', 'patch'],
  summary: 'Mend the recorded result of a step, or the input, of an instance.',
  arguments: [instanceArgument],
  description:
    'Applies a JSON Patch (RFC 6902) to what the journal has, shows what changes, and puts both on record. For an instance that is stuck; afterwards: `workflow retry`.',
  options: [
    { name: 'step', value: 'NAME', help: 'The step whose result is meant.' },
    { name: 'input', help: 'The input is meant.' },
    { name: 'patch', value: 'JSON', help: 'The operations, or @FILE. Required.' },
    { name: 'dry-run', help: 'Only show what would change.' },
    ...actOptions,
  ],
  examples: [
    {
      line: 'factline workflow repair patch 12 --step charge --patch @a.json --reason typo',
      does: 'shows the difference and records it',
    },
  ],
  json: [
    ...instanceAnswerFields,
    { name: 'id, changes[]', help: 'With --dry-run only this: { path, field, before, after }' },
  ],
  run: async (context) => {
    const { given, terminal, style, json } = context;
    const step = placeOf(context);
    const patch = readPatch(patchOf(context));
    requireReason(context);
    return withDatabase(context, async ({ database, app }) => {
      const on = database.operations;
      const instance = await findInstance(on, instanceNumber(given.arguments[0]));
      // Before anything is looked at: a patch may test for values that this person may not see.
      const target = `workflow instance ${instance.id}`;
      await permit(on, { actor: await actorOf(context, on), act: 'workflow.patch', target });
      const { before, after, changes } = await previewPatch(on, { id: instance.id, step, patch });
      const mask = await instanceMask(on, app, instance.id);
      const shown = changes.map((change) => mask.value(change));
      if (!json) for (const line of changeLines(shown, style)) terminal.out(line);
      else if (given.has('dry-run')) terminal.out(jsonText({ id: instance.id, changes: shown }));
      if (given.has('dry-run')) return undefined;
      const place = step === null ? { input: true } : { step };
      const what = step === null ? 'the input' : `the result of ${step}`;
      return carryOutAct(context, on, {
        instance,
        verb: 'patch',
        arguments: { ...place, before, value: after },
        details: { ...place, changed: changes.map((change) => change.path) },
        said: () => `${what} of #${instance.id} is mended, on record`,
      });
    });
  },
};

/** @throws FactlineError OPTION_INVALID */
const requiredStep = ({ given }: CommandContext): string => {
  const step = given.text('step')?.trim();
  if (step) return step;
  throw new FactlineError('OPTION_INVALID', {
    option: '--step',
    expected: 'the name of a step, as `workflow show` has it',
    actual: 'none',
  });
};

/** The step that is meant; null: the input. @throws FactlineError OPTION_INVALID */
const placeOf = ({ given }: CommandContext): string | null => {
  const step = given.text('step')?.trim();
  if ((step !== undefined) !== given.has('input')) return step ?? null;
  throw new FactlineError('OPTION_INVALID', {
    option: '--step',
    expected: 'exactly one of --step and --input',
    actual: given.has('input') ? 'both' : 'neither',
  });
};
