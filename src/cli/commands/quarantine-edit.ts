import { readFileSync } from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';
import { consumerOfDiscarded, type Edit, editParked, readPatch } from '../../operations/index.ts';
import { perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { loadApp } from '../configuration.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { declaredContract, maskedChanges } from '../quarantine-contracts.ts';
import { changeLines } from '../quarantine-view.ts';
import { answerFields, carryOut, waitOptions } from '../requests.ts';
import { askAbout, parkedNumber } from './quarantine.ts';

export const quarantineEdit: Command = {
  path: ['quarantine', 'edit'],
  summary: 'Mend the payload of a parked event and try it again.',
  description:
    'Applies a JSON Patch (RFC 6902) to what this consumer gets; the log keeps what happened. Only fields that the contract lists under `editable` may change, and the result must fit the contract. What was changed stays on record.',
  arguments: [{ name: 'ID', help: 'The number from `quarantine list`.', required: true }],
  options: [
    { name: 'patch', value: 'JSON', help: 'The operations, or @FILE. Required.' },
    { name: 'release', negated: true, help: 'Only edit; try it again later.' },
    ...personOptions,
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    {
      line: 'factline quarantine edit 7 --patch @mend.json --reason "typing error"',
      does: 'mends it, then tries the event again',
    },
  ],
  json: [
    {
      name: 'id, changes[]',
      help: '{ path, field, before, after }, without sensitive values; with --no-release only this.',
    },
    ...answerFields,
  ],
  run: async (context) => {
    const { given, terminal, style, json } = context;
    const id = parkedNumber(given.arguments[0]);
    const patch = readPatch(patchOf(context));
    const { reason, actor: by } = personOf(context);
    if (reason === undefined)
      throw new FactlineError('OPTION_INVALID', { option: '--reason', expected: 'why', actual: 'none' });
    const app = await loadApp(context);
    const release = !given.has('no-release');
    await withDatabase(context, async ({ database }) => {
      const actor = await actorOf(context, database.operations);
      const contractOf = (type: string): ReturnType<typeof declaredContract> => declaredContract(app, type);
      const edit = await perform(
        database.operations,
        {
          actor,
          act: 'quarantine.edit',
          target: `quarantine ${id}`,
          reason,
          details: ({ type, changes }: Edit) => ({ type, changed: changes.map((change) => change.path) }),
        },
        (client) => editParked(client, { id, patch, contractOf, actor: by, reason }),
      );
      const terms = contractOf(edit.type)?.terms;
      const changes = terms === undefined ? [] : maskedChanges(edit.changes, terms);
      if (!json) for (const line of changeLines(changes, style)) terminal.out(line);
      else if (!release) terminal.out(jsonText({ id, changes }));
    });
    return release ? askAbout(context, 'retry', given.arguments) : undefined;
  },
};

export const patchOf = ({ given, terminal }: CommandContext): unknown => {
  const text = given.text('patch');
  const invalid = (expected: string, cause?: unknown): FactlineError =>
    new FactlineError('OPTION_INVALID', { option: '--patch', expected, actual: text ?? 'none' }, { cause });
  if (text === undefined) throw invalid('a JSON Patch, or @FILE');
  try {
    const source = text.startsWith('@')
      ? readFileSync(path.resolve(terminal.directory, text.slice(1)), 'utf8')
      : text;
    return JSON.parse(source);
  } catch (error) {
    throw invalid('JSON, or a file that can be read', error);
  }
};

export const quarantineRestore: Command = {
  path: ['quarantine', 'restore'],
  summary: 'Take the discarding of an event back.',
  description:
    'Puts it back into quarantine under its number, before what of its key was not handled since; `quarantine list --discarded` shows the numbers. Refused when a later event of its key was handled meanwhile, since it would now come after it: --force does it all the same. Possible for seven days.',
  arguments: [{ name: 'ID', help: 'The number under which it was discarded.', required: true }],
  options: [
    { name: 'force', help: 'Also when it will be handled after later events of its key.' },
    ...personOptions,
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine restore 7 --reason "was no test order"', does: 'it is in quarantine again' },
  ],
  json: answerFields,
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given } = context;
      const id = parkedNumber(given.arguments[0]);
      const consumer = await consumerOfDiscarded(database.operations, id);
      const force = given.has('force');
      const request = {
        consumer,
        verb: 'restore',
        parkedId: id,
        arguments: { force },
        ...personOf(context),
      } as const;
      return carryOut(context, database.operations, [request]);
    }),
};
