import type { AffectedConsumer, Finding, GateReport } from '../contracts/index.ts';
import { countText } from '../operations/index.ts';
import { printable, type Style, textWidth, truncate, wrap } from './style.ts';

export interface GateView {
  readonly width: number;
  readonly style: Style;
  /** As people see it. */
  readonly lockName: string;
  /** With what is only told for completeness. */
  readonly all: boolean;
}

/** Wider lines are hard to read, and a witness beyond this is cut. */
const readableWidth = 100;
const witnessLengthMax = 400;
const labelWidth = 9;

/** A report as a compiler would print it: what, where, why, the proof, who, and what to do next. */
export const reportLines = (report: GateReport, view: GateView): string[] => [
  ...findingsLines(shownFindings(report, view), view),
  ...summaryLines(report, view),
];

/** Findings by contract, each contract with an empty line after it. */
export const findingsLines = (findings: readonly Finding[], view: GateView): string[] =>
  [...Map.groupBy(findings, ({ contract }) => contract)].flatMap(([contract, each]) => [
    ...contractLines(contract, each, view),
    '',
  ]);

/** Without what goes without saying: that the lock file differs, beside what is wrong with the difference. */
export const shownFindings = (
  { findings }: GateReport,
  { all }: Pick<GateView, 'all'>,
): readonly Finding[] => {
  const broken = new Set(findings.filter(isBroken).map(({ contract }) => contract));
  return findings
    .filter(({ severity }) => all || severity !== 'info')
    .filter(({ rule, contract }) => rule !== 'not-accepted' || !broken.has(contract));
};

const isBroken = ({ kind, waiver }: Finding): boolean => kind === 'break' && waiver === null;

const contractLines = (contract: string, findings: readonly Finding[], view: GateView): string[] => {
  const { style } = view;
  const failed = findings.some(({ severity, waiver }) => severity === 'error' && waiver === null);
  const mark = failed
    ? style.red('✗')
    : findings.some(({ waiver }) => waiver !== null)
      ? style.yellow('~')
      : style.yellow('!');
  return [
    `${mark} ${style.bold(printable(contract))}`,
    ...findings.flatMap((finding) => ['', ...findingLines(finding, view)]),
    ...affectedLines(findings, view),
  ];
};

const findingLines = (finding: Finding, { width, style }: GateView): string[] => {
  const room = Math.min(width, readableWidth) - 4;
  const paint = { error: style.red, warning: style.yellow, info: style.dim }[finding.severity];
  const at = finding.path === '' ? '' : ` at ${printable(finding.path)}`;
  const format =
    finding.format === undefined || finding.format === 'json-schema' ? '' : ` (${finding.format})`;
  const block = (label: string, text: string | undefined): string[] =>
    text === undefined
      ? []
      : wrap(printable(text), room - labelWidth - 1).map(
          (line, index) => `    ${style.dim((index === 0 ? label : '').padEnd(labelWidth))} ${line}`,
        );
  const { waiver } = finding;
  return [
    `  ${paint(finding.rule)}${at}${format}`,
    ...wrap(printable(finding.message), room).map((line) => `    ${line}`),
    ...block('before', finding.old),
    ...block('now', finding.new),
    ...block('breaks', finding.breaks === undefined ? undefined : breaksTexts[finding.breaks]),
    ...block('witness', witnessText(finding)),
    // What is only to be accepted needs one command for all, which stands at the end.
    ...(finding.kind === 'pending' ? [] : adviceLines(finding.remedy ?? '', block)),
    ...block(
      'waived',
      waiver === null ? undefined : `by ${waiver.owner} until ${waiver.until}: ${waiver.reason}`,
    ),
  ];
};

/** A command stays on one line, to be copied. */
const adviceLines = (remedy: string, block: (label: string, text: string) => string[]): string[] => {
  const [advice = '', command] = remedy.split(/(?<=:) (?=npx )/);
  if (advice === '') return [];
  return [
    ...block('instead', advice),
    ...(command === undefined ? [] : [`${' '.repeat(5 + labelWidth)}${command}`]),
  ];
};

const breaksTexts = {
  'readers of old data': 'the new code, when it meets what is in the log',
  'readers of new data': 'the code that runs now, when it meets what the new code writes',
} as const;

/** With spaces, so that it can be broken into lines. */
const witnessText = ({ witness }: Finding): string | undefined => {
  if (witness === undefined) return undefined;
  const spaced = JSON.stringify(witness, null, 1)
    .replaceAll(/([{[])\n */g, '$1')
    .replaceAll(/\n *([}\]])/g, '$1')
    .replaceAll(/\n */g, ' ');
  return truncate(spaced, witnessLengthMax);
};

/** Once for all findings of a contract: they concern the same consumers. */
const affectedLines = (findings: readonly Finding[], { width, style }: GateView): string[] => {
  const broken = findings.filter(isBroken);
  if (broken.length === 0) return [];
  const consumers = new Map<string, AffectedConsumer>();
  for (const consumer of broken.flatMap(({ affected }) => affected)) {
    const known = consumers.get(consumer.name);
    if (known === undefined || known.uses === 'no') consumers.set(consumer.name, consumer);
  }
  const rows = [...consumers.values()].map((consumer) => [
    consumer.name,
    consumer.class,
    consumer.owner,
    usesText(consumer),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => textWidth(row[column] ?? '')), 0));
  const indent = 4 + widths.reduce((sum, each) => sum + each + 2, 0);
  const room = Math.max(20, Math.min(width, readableWidth) - indent);
  const lines = rows.flatMap((row) => {
    const [first = '', ...more] = wrap(row.at(-1) ?? '', room);
    const cells = row.slice(0, -1).map((cell, column) => `${cell.padEnd(widths[column] ?? 0)}  `);
    return [`    ${cells.join('')}${first}`, ...more.map((line) => `${' '.repeat(indent)}${line}`)];
  });
  const approvers = [...new Set(broken.map(({ approver }) => approver))].filter((each) => each !== null);
  return [
    '',
    `  ${style.bold('Who would notice')}${broken.some(({ breaks }) => breaks) ? style.dim(' (each checks the whole payload, whatever it reads)') : ''}`,
    ...(lines.length === 0 ? ['    no consumer of this app'] : lines),
    `  ${style.bold('Who can let it pass')}`,
    `    ${approvers.join(', ')}`,
  ];
};

const usesText = ({ class: kind, reads, uses, known, live }: AffectedConsumer): string => {
  if (kind === 'sender') return 'sends it';
  if (kind === 'requester') return 'waits for it as a reply';
  const said = {
    yes: `reads ${(reads ?? []).join(', ')}`,
    no: reads?.length === 0 ? 'reads no field' : `reads only ${(reads ?? []).join(', ')}`,
    unknown: 'may read any field',
  }[uses];
  const gone = { declared: '', removed: '; gone from the code', running: '; of another app' }[known];
  const running = live.map(
    ({ codeVersion, processes }) => `${countText(processes, 'process', 'processes')} of ${codeVersion}`,
  );
  return `${said}${gone}${running.length === 0 ? '' : `; live: ${running.join(', ')}`}`;
};

const summaryLines = (report: GateReport, view: GateView): string[] => {
  const { style, lockName } = view;
  const { findings, contracts, unchanged, ok } = report;
  const count = (holds: (finding: Finding) => boolean): number =>
    new Set(findings.filter(holds).map(({ contract }) => contract)).size;
  const waived = count(({ waiver }) => waiver !== null);
  const warned = count(({ severity }) => severity === 'warning');
  const breaking = count(isBroken);
  const pending = count(
    ({ kind, contract }) =>
      kind === 'pending' && !findings.some((each) => each.contract === contract && isBroken(each)),
  );
  const demands = count(({ kind, severity }) => kind === 'demand' && severity === 'error');
  const parts = [
    `${countText(contracts, 'contract')}`,
    `${unchanged} as in ${lockName}`,
    ...(breaking > 0 ? [style.red(`${breaking} would break somebody`)] : []),
    ...(pending > 0 ? [style.yellow(`${pending} to be accepted`)] : []),
    ...(demands > 0 ? [style.red(`${demands} with something to do first`)] : []),
    ...(waived > 0 ? [`${waived} waived`] : []),
    ...(warned > 0 ? [`${warned} with a warning`] : []),
  ];
  return [`${ok ? style.green('✓') : style.red('✗')} ${parts.join(', ')}`, ...nextLines(report, view)];
};

/** One command for each way on; the longest one is what a person would have to look up. */
const nextLines = ({ findings }: GateReport, { style }: GateView): string[] => {
  const broken = findings.find(isBroken);
  const waive =
    broken === undefined
      ? []
      : [
          'Mend the code; or, when its owner answers for it:',
          `  npx factline contracts accept ${broken.contract} \\`,
          `    --waive ${broken.rule}${broken.path === '' ? '' : ` --path ${shellWord(broken.path)}`} \\`,
          `    --by ${broken.approver}/NAME --reason TEXT --until DAY`,
        ];
  const pending = findings.some(({ kind }) => kind === 'pending') && broken === undefined;
  const accept = pending ? ['npx factline contracts accept'] : [];
  const lines = [...waive, ...accept];
  return lines.length === 0
    ? []
    : ['', ...lines.map((line, index) => `${style.bold((index === 0 ? 'next' : '').padEnd(4))}  ${line}`)];
};

const shellWord = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
