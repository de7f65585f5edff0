import type { Finding, GateReport } from '../contracts/index.ts';
import type { JsonField } from './command.ts';
import type { GateEvidence } from './gate-evidence.ts';

export const reportFields: readonly JsonField[] = [
  { name: 'ok', help: 'No finding is an error without a waiver that holds: exit code 0.' },
  {
    name: 'app, lock, contracts, unchanged',
    help: 'The app, the lock file, and how many of its contracts stand there as they are.',
  },
  {
    name: 'findings[].rule, .contract, .path',
    help: 'What, of which type, where in the payload (empty: the whole).',
  },
  { name: 'findings[].severity', help: 'error, warning or info.' },
  {
    name: 'findings[].kind',
    help: 'break: somebody would break. pending: accept writes it. demand: needs something else. notice: told only.',
  },
  {
    name: 'findings[].message, .old, .new, .breaks, .remedy',
    help: 'For people; breaks: readers of old data, or of new data.',
  },
  { name: 'findings[].witness', help: 'A payload that proves the break, where one was found.' },
  { name: 'findings[].format', help: 'Of a change of a schema: json-schema, avro or protobuf.' },
  {
    name: 'findings[].affected[]',
    help: '{ name, class, owner, reads, uses, known, live }: who would notice; uses is yes, no or unknown.',
  },
  { name: 'findings[].approver', help: 'The owner who can let it pass; null where nobody need.' },
  {
    name: 'findings[].waiver',
    help: '{ contract, rule, path, owner, reason, until } that lets it pass, or null.',
  },
];

export const reportJson = (
  report: GateReport,
  lockName: string,
  evidence: Pick<GateEvidence, 'log' | 'dryRun'> | null,
): string => {
  const { ok, app, contracts, unchanged, findings } = report;
  const { log, dryRun } = evidence ?? { log: null, dryRun: null };
  const found = { ...(log && { log }), ...(dryRun && { dryRun }) };
  return JSON.stringify({ ok, app, lock: lockName, contracts, unchanged, findings, ...found });
};

/** GitHub's workflow commands: an annotation at the contract's place in the lock file, which is what the review looks at. */
export const githubLines = (
  findings: readonly Finding[],
  place: { readonly file: string; readonly lineOf: (contract: string) => number },
): string[] =>
  findings.map((finding) => {
    const level = finding.waiver !== null ? 'notice' : finding.severity;
    const at = finding.path === '' ? '' : ` at ${finding.path}`;
    const who = finding.affected.map(({ name, owner }) => `${name} (${owner})`).join(', ');
    const text = [
      finding.message,
      ...(finding.witness === undefined ? [] : [`Witness: ${JSON.stringify(finding.witness)}`]),
      ...(who === '' ? [] : [`Who would notice: ${who}`]),
      ...(finding.approver === null ? [] : [`Who can let it pass: ${finding.approver}`]),
      ...(finding.remedy === undefined ? [] : [`Instead: ${finding.remedy}`]),
    ].join('\n');
    return annotation({
      level,
      file: place.file,
      line: place.lineOf(finding.contract),
      title: `${finding.contract}: ${finding.rule}${at}`,
      text,
    });
  });

interface Annotation {
  readonly level: 'error' | 'warning' | 'notice' | 'info';
  readonly file: string;
  readonly line: number;
  readonly title: string;
  readonly text: string;
}

export const annotation = ({ level, file, line, title, text }: Annotation): string =>
  `::${level === 'info' ? 'notice' : level} file=${property(file)},line=${line},title=${property(title)}::${escaped(text)}`;

const escaped = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const property = (text: string): string => escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** The line on which a contract begins in the text of a lock file; 1 where it does not stand there. */
export const lineFinder = (text: string): ((contract: string) => number) => {
  const lines = text.split('\n');
  return (contract) => Math.max(1, lines.indexOf(`    ${JSON.stringify(contract)}: {`) + 1);
};
