import {
  type ContractEvidence,
  countText,
  type DryRunSummary,
  type LogEvidence,
  membersText,
} from '../operations/index.ts';
import type { GateEvidence } from './gate-evidence.ts';
import { printable, type Style, wrap } from './style.ts';

interface EvidenceView {
  readonly width: number;
  readonly style: Style;
  /** The types of the code. */
  readonly contracts: readonly string[];
}

const readableWidth = 100;
const labelWidth = 9;

/** What was looked at, and what came of it; what is wrong with it stands among the findings. */
export const evidenceLines = ({ log, dryRun }: GateEvidence, view: EvidenceView): string[] => [
  ...(log === null ? [] : logLines(log, view)),
  ...(dryRun === null ? [] : dryRunLines(dryRun, view)),
  '',
];

const block = (label: string, text: string, { width, style }: EvidenceView): string[] =>
  wrap(printable(text), Math.min(width, readableWidth) - labelWidth - 1).map(
    (line, index) => `${style.dim((index === 0 ? label : '').padEnd(labelWidth))} ${line}`,
  );

const spanText = ({ span }: LogEvidence | DryRunSummary): string => {
  if (span.upTo === 0) return 'the log is empty';
  const looked = span.upTo - span.after;
  return span.after === 0
    ? `the whole log, ${countText(looked, 'position')}`
    : `the newest ${countText(looked, 'position')} of the log`;
};

const logLines = (log: LogEvidence, view: EvidenceView): string[] => {
  const { checked, refused, contracts } = log;
  const without = view.contracts.filter((type) => !contracts.some(({ contract }) => contract === type));
  const refusedText = refused === 0 ? 'none is refused' : `${refused} refused`;
  const found =
    checked === 0 ? 'no event of these contracts' : `${countText(checked, 'event')}, ${refusedText}`;
  return [
    ...block('log', `${spanText(log)}; ${found}`, view),
    ...contracts.flatMap((each) => contractLines(each, view)),
    ...(without.length === 0 ? [] : block('', `none of: ${without.join(', ')}`, view)),
  ];
};

/** Contracts with one producer of one version and nothing to tell need no line. */
const contractLines = ({ contract, versions, refused }: ContractEvidence, view: EvidenceView): string[] => {
  if (versions.length < 2 && refused === 0) return [];
  const each = versions.map(({ source, type, members, parked, checked, refused: bad }) => {
    const kind = [...(type === contract ? [] : [`as ${type}`]), ...(parked ? ['parked'] : [])];
    const what = kind.length === 0 ? '' : `, ${kind.join(', ')}`;
    return `${source} ${membersText(members)}${what}: ${checked}${bad === 0 ? '' : `, ${bad} refused`}`;
  });
  return block('', `${contract} · ${each.join(' · ')}`, view);
};

const outcomeTexts = {
  'would-change': 'would change something',
  'no-op': 'nothing',
  'effect-attempted': 'as far as an effect',
  error: 'would be parked',
} as const;

const dryRunLines = (summary: DryRunSummary, view: EvidenceView): string[] => {
  const { consumer, events, outcomes, changes, columns } = summary;
  if (events === 0)
    return block(
      'dry run',
      `${consumer} was given nothing: ${spanText(summary)}, without an event that it handles`,
      view,
    );
  const counts = (Object.keys(outcomeTexts) as (keyof typeof outcomeTexts)[])
    .filter((outcome) => outcomes[outcome] > 0)
    .map((outcome) => `${outcomes[outcome].toLocaleString('en-US')} ${outcomeTexts[outcome]}`);
  const rows = changes.map(({ table, inserted, updated, deleted }) => {
    const parts = { inserted, updated, deleted };
    const said = Object.entries(parts).flatMap(([what, count]) => (count === 0 ? [] : `${count} ${what}`));
    return `${table} ${said.join(' ')}`;
  });
  return [
    ...block('dry run', `${consumer} handled ${countText(events, 'event')}: ${counts.join(', ')}`, view),
    ...listLines('effects', tallyText(summary.effects), view),
    ...listLines('publishes', tallyText(summary.published), view),
    ...listLines('rows', rows, view),
    ...listLines('columns', tallyText(columns), view),
  ];
};

const listLines = (label: string, items: readonly string[], view: EvidenceView): string[] =>
  items.length === 0 ? [] : block('', `${label}: ${items.join(', ')}`, view);

const tallyText = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts).map(([name, count]) => `${name} (${count})`);
