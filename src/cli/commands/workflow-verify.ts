import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { AnyWorkflow } from '../../consumers/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import {
  countText,
  findWorkflows,
  parseJournal,
  readJournal,
  sampleLiving,
  type VerifiedJournal,
  verifyAgainst,
} from '../../operations/index.ts';
import { personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { type LoadedApp, loadApp } from '../configuration.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { wholeNumber } from '../parse.ts';
import { printable } from '../style.ts';
import { instanceMask, maskedJournal, maskedVerification } from '../workflow-masking.ts';
import { maskFor, revealOption } from '../workflow-reveal.ts';
import { differenceLines } from '../workflow-timeline.ts';
import { instanceArgument, instanceNumber } from './workflow.ts';

const folderDefault = 'journals';

/** A journal, and where it is from: a file, or the number of a living instance. */
interface Checked extends VerifiedJournal {
  readonly source: string;
}

export const workflowVerify: Command = {
  path: ['workflow', 'verify'],
  summary: 'Check that the code still fits recorded journals; runs no step.',
  description:
    "Runs each workflow's function over journals that were recorded, and compares every call. Nothing outside happens: results come from the journal. Finds calls that moved, were renamed or are gone, versions that nobody declares, and uses of Date.now, Math.random, fetch and timers outside of steps. Ends with exit code 1 when a journal does not fit.",
  arguments: [
    {
      name: 'PLACE',
      help: `Folders or files with journals, as \`workflow export\` writes them. Default: ${folderDefault}.`,
      required: false,
      many: true,
    },
  ],
  options: [
    { name: 'live', help: 'Also samples of the instances that live in the database.' },
    { name: 'sample', value: 'N', help: 'With --live: of each version and state. Default: 50.' },
    { name: 'workflow', value: 'NAME', help: 'With --live: only of this workflow.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline workflow verify', does: 'the journals of this folder, in CI' },
    { line: 'factline workflow verify --live --sample 200', does: 'before a deploy: what would not go on' },
  ],
  json: [
    { name: 'journals[]', help: '{ source, workflow, version, id, ok, reason, difference, ambientUses }' },
    { name: 'journals[].source', help: 'The file, or `instance N`.' },
    { name: 'journals[].difference', help: '{ ordinal, recorded[], called[] }, or null.' },
    { name: 'journals[].ambientUses[]', help: '{ what, where }: outside of a step.' },
    { name: 'failed', help: 'How many do not fit.' },
  ],
  run: async (context) => {
    const app = await loadApp(context);
    const declared = versionsOf(app);
    const checked: Checked[] = [];
    for (const file of filesOf(context)) {
      const journal = parseJournal(
        file,
        readFileSync(path.resolve(context.terminal.directory, file), 'utf8'),
      );
      checked.push({ source: file, ...(await verifyAgainst(declared, journal)) });
    }
    if (context.given.has('live'))
      checked.push(
        ...(await withDatabase(context, (connected) => verifyLiving(context, connected, declared))),
      );
    return report(context, checked);
  },
};

const versionsOf = ({ internals }: LoadedApp): readonly AnyWorkflow[] =>
  internals.settings.executors.map(({ workflow }) => workflow);

/** @throws FactlineError OPTION_INVALID when there is nothing to check */
const filesOf = ({ given, terminal }: CommandContext): readonly string[] => {
  const places = given.arguments.length === 0 ? [folderDefault] : given.arguments;
  const files = places.flatMap((place) => {
    const absolute = path.resolve(terminal.directory, place);
    if (!existsSync(absolute)) {
      if (given.arguments.length === 0) return [];
      throw new FactlineError('OPTION_INVALID', {
        option: 'PLACE',
        expected: 'folders and files that exist',
        actual: place,
      });
    }
    if (!statSync(absolute).isDirectory()) return [place];
    const names = readdirSync(absolute).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => path.join(place, name));
  });
  if (files.length > 0 || given.has('live')) return files;
  throw new FactlineError('OPTION_INVALID', {
    option: 'PLACE',
    expected: 'a folder with journals (factline workflow export ID > journals/NAME.json), or --live',
    actual: `no journal in ${places.join(', ')}`,
  });
};

const verifyLiving = async (
  { given, signal }: CommandContext,
  { database, app }: Connected,
  declared: readonly AnyWorkflow[],
): Promise<readonly Checked[]> => {
  const on = database.operations;
  const workflows = await findWorkflows(on, given.text('workflow') ?? null);
  const ids = await sampleLiving(on, {
    executors: workflows.flatMap(({ versions }) => versions.map(({ id }) => id)),
    perState: wholeNumber(given, 'sample', { min: 1, max: 10_000, fallback: 50 }),
  });
  const checked: Checked[] = [];
  for (const id of ids) {
    if (signal.aborted) break;
    const verified = await verifyAgainst(declared, await readJournal(on, id));
    const shown = verified.ok ? verified : maskedVerification(verified, await instanceMask(on, app, id));
    checked.push({ source: `instance ${id}`, ...shown });
  }
  return checked;
};

const failuresShownMax = 20;

const report = ({ terminal, style, json }: CommandContext, checked: readonly Checked[]): number => {
  const failed = checked.filter(({ ok }) => !ok);
  if (json) terminal.out(jsonText({ journals: checked, failed: failed.length }));
  else {
    for (const each of failed.slice(0, failuresShownMax)) {
      const { source, workflow, version, reason, difference } = each;
      terminal.out(`${style.red('✗')} ${source}  ${workflow} v${version}: ${printable(reason ?? '')}`);
      const view = { width: terminal.width, style, nowMs: 0 };
      for (const line of differenceLines({ difference }, view).slice(2)) terminal.out(`    ${line}`);
    }
    const more = failed.length - failuresShownMax;
    if (more > 0) terminal.out(style.dim(`… and ${more} more: --json`));
    const fit = countText(checked.length - failed.length, 'journal fits', 'journals fit');
    terminal.out(failed.length === 0 ? `${style.green('✓')} ${fit}` : `${fit}, ${failed.length} do not`);
  }
  return failed.length === 0 ? 0 : 1;
};

export const workflowExport: Command = {
  path: ['workflow', 'export'],
  summary: 'Write the journal of an instance, to be kept as a fixture.',
  arguments: [instanceArgument],
  description:
    'Writes what `workflow verify` and verifyJournal read. What contracts call personal or secret of the events that the instance got is hidden, since fixtures are committed; --reveal writes everything, on record.',
  options: [revealOption, ...personOptions, ...databaseOptions],
  examples: [
    { line: 'factline workflow export 12 > journals/paid-late.json', does: 'from now on checked in CI' },
  ],
  json: [
    {
      name: 'workflow, version, id, key, input',
      help: 'What the function began with. Without --json the same, over several lines.',
    },
    { name: 'ended', help: 'Whether the function had ended.' },
    { name: 'entries[]', help: '{ undo, ordinal, kind, name, state, attempts, completion, value, error }' },
  ],
  run: (context) =>
    withDatabase(context, async (connected) => {
      const id = instanceNumber(context.given.arguments[0]);
      const journal = await readJournal(connected.database.operations, id);
      const mask = await maskFor(context, connected, id);
      context.terminal.out(jsonText(maskedJournal(journal, mask), context.json ? 0 : 2));
      return undefined;
    }),
};
