import { readFile } from 'node:fs/promises';
import { type LintFinding, lint, lintRules } from '../../contracts/index.ts';
import { exitCodes, FactlineError } from '../../foundation/index.ts';
import { countText, payloadSizes } from '../../operations/index.ts';
import type { Command, CommandContext, Given } from '../command.ts';
import { withDatabase } from '../connection.ts';
import { annotation, lineFinder } from '../gate-formats.ts';
import { liveOptions, openGateProject } from '../gate-project.ts';
import { printable, wrap } from '../style.ts';
import { suggestion } from '../suggest.ts';
import { formatOf, formatOption } from './contracts-check.ts';

const readableWidth = 100;

export const contractsLint: Command = {
  path: ['contracts', 'lint'],
  summary: 'Look for the known anti-patterns of event systems.',
  description:
    'Each finding says what was found, why it matters and how to mend it; docs/contracts.md explains the rules. Exit code 1 when an error was found; warnings are judgements. A rule that does not fit is switched off in the lock file, with a reason: factline contracts accept [TYPE] --waive RULE --by OWNER --reason TEXT.',
  options: [
    { name: 'rule', value: 'RULE', help: 'Only this rule; again for several.', many: true },
    { name: 'without', value: 'RULE', help: 'All but this rule; again for several.', many: true },
    formatOption,
    ...liveOptions,
  ],
  examples: [
    { line: 'factline contracts lint', does: 'all rules' },
    { line: 'factline contracts lint --rule personal-data', does: 'one rule' },
    { line: 'factline contracts lint --live', does: 'also by the sizes of the payloads in the log' },
    { line: 'factline contracts lint --without thin-event --without fat-event', does: 'for this once' },
  ],
  json: [
    { name: 'findings[].rule, .severity', help: 'error or warning.' },
    {
      name: 'findings[].contract, .owner, .path',
      help: 'The type, its owner, and the field (dotted; empty: the whole).',
    },
    { name: 'findings[].message, .why, .remedy', help: 'What was found, why it matters, how to mend it.' },
  ],
  run: async (context) => {
    const { given, terminal, clock } = context;
    const format = formatOf(given);
    const only = ruleNames(given, 'rule');
    const { subject, lock, lockFile, lockName, live } = await openGateProject(context);
    const types = subject.contracts.map(({ type }) => type);
    const bytesP95 = live
      ? await withDatabase(context, ({ database }) => payloadSizes(database.operations, types))
      : undefined;
    const findings = lint(subject, {
      ...(only.length === 0 ? {} : { only }),
      without: ruleNames(given, 'without'),
      lock,
      ...(bytesP95 === undefined ? {} : { bytesP95 }),
      now: clock.wall(),
    });
    if (format === 'json') terminal.out(JSON.stringify({ findings }));
    else if (format === 'github') {
      const text = lock === null ? '' : await readFile(lockFile, 'utf8');
      for (const line of githubLines(findings, { file: lockName, lineOf: lineFinder(text) }))
        terminal.out(line);
    } else for (const line of findingLines(findings, subject.contracts.length, context)) terminal.out(line);
    return findings.some(({ severity }) => severity === 'error') ? exitCodes.failure : 0;
  },
};

/** @throws FactlineError OPTION_INVALID */
const ruleNames = (given: Given, option: string): readonly string[] => {
  const known = lintRules.map(({ name }) => name);
  const names = given.all(option);
  const wrong = names.find((name) => !known.includes(name));
  if (wrong === undefined) return names;
  throw new FactlineError('OPTION_INVALID', {
    option: `--${option}`,
    expected: `one of ${known.join(', ')}`,
    actual: `${wrong}${suggestion(wrong, known)}`,
  });
};

const findingLines = (
  findings: readonly LintFinding[],
  contracts: number,
  { terminal, style }: CommandContext,
): string[] => {
  const room = Math.min(terminal.width, readableWidth) - 4;
  const block = (label: string, text: string): string[] =>
    wrap(printable(text), room - 6).map(
      (line, index) => `    ${style.dim((index === 0 ? label : '').padEnd(5))} ${line}`,
    );
  const groups = [...Map.groupBy(findings, ({ contract }) => contract)];
  const lines = groups.flatMap(([contract, each]) => [
    style.bold(printable(contract)),
    ...each.flatMap(({ severity, rule, message, why, remedy }) => [
      `  ${severity === 'error' ? style.red(`✗ ${rule}`) : style.yellow(`! ${rule}`)}`,
      ...wrap(printable(message), room).map((line) => `    ${line}`),
      ...block('why', why),
      ...block('mend', remedy),
    ]),
    '',
  ]);
  const count = (severity: LintFinding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const verdict = `${countText(contracts, 'contract')}, ${countText(lintRules.length, 'rule')}: ${countText(count('error'), 'error')}, ${countText(count('warning'), 'warning')}`;
  return [...lines, verdict];
};

const githubLines = (
  findings: readonly LintFinding[],
  place: { readonly file: string; readonly lineOf: (contract: string) => number },
): string[] =>
  findings.map(({ severity, contract, rule, message, why, remedy }) =>
    annotation({
      level: severity,
      file: place.file,
      line: place.lineOf(contract),
      title: `${contract}: ${rule}`,
      text: `${message}\nWhy: ${why}\nMend: ${remedy}`,
    }),
  );
