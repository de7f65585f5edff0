import { readFile } from 'node:fs/promises';
import { checkLock, type GateReport, type Observed } from '../../contracts/index.ts';
import { exitCodes, FactlineError } from '../../foundation/index.ts';
import type { Command, CommandContext, CommandOption, Given } from '../command.ts';
import { evidenceFields, evidenceOptions, type GateEvidence, gatherEvidence } from '../gate-evidence.ts';
import { evidenceLines } from '../gate-evidence-view.ts';
import { githubLines, lineFinder, reportFields, reportJson } from '../gate-formats.ts';
import { type GateProject, liveOptions, openGateProject } from '../gate-project.ts';
import { reportLines, shownFindings } from '../gate-view.ts';

const formats = ['text', 'json', 'github'] as const;

export type OutputFormat = (typeof formats)[number];

export const formatOption: CommandOption = {
  name: 'format',
  value: 'FORMAT',
  help: 'text, json (as --json), or github: annotations of a pull request. Default: text.',
};

/** @throws FactlineError OPTION_INVALID */
export const formatOf = (given: Given): OutputFormat => {
  if (given.has('json')) return 'json';
  const asked = given.text('format') ?? 'text';
  const format = formats.find((each) => each === asked);
  if (format !== undefined) return format;
  throw new FactlineError('OPTION_INVALID', {
    option: '--format',
    expected: formats.join(', '),
    actual: asked,
  });
};

export const contractsCheck: Command = {
  path: ['contracts', 'check'],
  summary: 'Fail when a change of a contract would break somebody.',
  description:
    'Holds the contracts of the code against the lock file (the reviewed truth), each under its own compatibility mode, and names every consumer that a change would hit. Made for CI: the app is not started, and no database is asked unless --live, --against-log or --run is given. Exit code 0: all is as accepted; 1: something is not; 2: bad input.',
  options: [formatOption, ...evidenceOptions, ...liveOptions],
  examples: [
    { line: 'factline contracts check', does: 'in CI, and before you push' },
    { line: 'factline contracts check --format github', does: 'annotations in the pull request' },
    { line: 'factline contracts check --app src/app.ts', does: 'another file exports the app' },
    {
      line: 'factline contracts check --against-log --run payment --sample 500',
      does: 'before a release: what is really in the log',
    },
  ],
  json: [...reportFields, ...evidenceFields],
  run: async (context) => {
    const format = formatOf(context.given);
    const evidence = await gatherEvidence(context);
    const { project, report } = await examine(context, evidence);
    await show(context, { project, report, evidence, format, all: false });
    return report.ok ? 0 : exitCodes.failure;
  },
};

export const contractsDiff: Command = {
  path: ['contracts', 'diff'],
  summary: 'Show everything in which the code differs from the lock file.',
  description:
    'As `contracts check`, with the harmless differences as well. The exit code is 0 whatever they are.',
  options: [formatOption, ...liveOptions],
  examples: [{ line: 'factline contracts diff', does: 'what `accept` would write, and what it means' }],
  json: reportFields,
  run: async (context) => {
    const format = formatOf(context.given);
    const { project, report } = await examine(context, null);
    await show(context, { project, report, evidence: null, format, all: true });
    return 0;
  },
};

interface Shown {
  readonly project: GateProject;
  readonly report: GateReport;
  readonly evidence: GateEvidence | null;
  readonly format: OutputFormat;
  readonly all: boolean;
}

const examine = async (
  context: CommandContext,
  evidence: GateEvidence | null,
): Promise<Pick<Shown, 'project' | 'report'>> => {
  const project = await openGateProject(context);
  const observed: Observed = evidence?.observed ?? new Map();
  const report = await checkLock(project.lock, project.subject, { now: context.clock.wall(), observed });
  return { project, report };
};

const show = async ({ terminal, style }: CommandContext, shown: Shown): Promise<void> => {
  const { project, report, evidence, format, all } = shown;
  const { lockName, lockFile, lock } = project;
  if (format === 'json') terminal.out(reportJson(report, lockName, evidence));
  else if (format === 'github') {
    const text = lock === null ? '' : await readFile(lockFile, 'utf8');
    const place = { file: lockName, lineOf: lineFinder(text) };
    for (const line of githubLines(shownFindings(report, { all }), place)) terminal.out(line);
  } else {
    const contracts = project.subject.contracts.map(({ type }): string => type);
    const { width } = terminal;
    const lines = evidence === null ? [] : evidenceLines(evidence, { width, style, contracts });
    for (const line of [...lines, ...reportLines(report, { width, style, lockName, all })])
      terminal.out(line);
  }
};
