import { countText, durationText, type Verdict, type VerdictName } from '../operations/index.ts';
import { type Paint, printable, type Style, textWidth, truncate, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';

export interface ViewOptions {
  readonly width: number;
  readonly style: Style;
}

export const verdictPaint = (verdict: VerdictName, style: Style): Paint =>
  ({ OK: style.green, LATE: style.yellow, STALLED: style.red, PAUSED: style.yellow, UNKNOWN: style.red })[
    verdict
  ];

const unknown = '–';

const lagText = ({ lagSeconds, lagExact }: Verdict): string => {
  if (lagSeconds === null) return unknown;
  return `${lagExact ? '' : '≤ '}${lagSeconds === 0 ? '0' : durationText(lagSeconds * 1_000)}`;
};

const timeText = (seconds: number | null): string => {
  if (seconds === null) return unknown;
  return seconds === 0 ? '0' : durationText(seconds * 1_000);
};

const unhandledText = ({ unhandled, unhandledExact }: Verdict): string =>
  unhandled === null ? unknown : `${unhandledExact ? '' : '≥ '}${unhandled.toLocaleString('en-US')}`;

const stuckCount = ({ workflow }: Verdict): number => workflow?.instances.stuck ?? 0;

const quarantineText = (verdict: Verdict): string => {
  const { quarantined } = verdict;
  if (quarantined === null) return unknown;
  const stuck = stuckCount(verdict);
  const stuckText = stuck === 0 ? '' : `${stuck.toLocaleString('en-US')} stuck`;
  if (quarantined.events === 0) return stuckText === '' ? '0' : stuckText;
  const keys = `${countText(quarantined.keys, 'key')}${quarantined.waiting === 0 ? '' : ` +${quarantined.waiting}`}`;
  return stuckText === '' ? keys : `${keys}, ${stuckText}`;
};

const nameText = ({ consumer, state, build }: Verdict): string =>
  state === 'building' ? `${consumer} (build ${build})` : consumer;

const columns: readonly Column<Verdict>[] = [
  { title: 'CONSUMER', value: nameText, widthMin: 12, paint: (_row, style) => style.bold },
  { title: 'CLASS', value: (row) => row.class, dropOrder: 5 },
  { title: 'VERDICT', value: (row) => row.verdict, paint: (row, style) => verdictPaint(row.verdict, style) },
  { title: 'LAG', value: lagText, align: 'right' },
  { title: 'UNHANDLED', value: unhandledText, align: 'right', dropOrder: 2 },
  {
    title: 'QUARANTINE',
    dropOrder: 1,
    value: quarantineText,
    align: 'right',
    paint: (row, style) =>
      (row.quarantined?.events ?? 0) + stuckCount(row) > 0 ? style.yellow : (text) => text,
  },
  {
    title: 'DRAINS IN',
    value: ({ timeToDrainSeconds }) => timeText(timeToDrainSeconds),
    align: 'right',
    dropOrder: 4,
  },
  {
    title: 'BREACH IN',
    value: ({ timeToBreachSeconds }) => timeText(timeToBreachSeconds),
    align: 'right',
    dropOrder: 4,
  },
  {
    title: 'LANES',
    value: ({ lanes }) => (lanes.total === 0 ? unknown : `${lanes.owned}/${lanes.total}`),
    align: 'right',
    dropOrder: 3,
  },
];

/** The table of `status`, and below it the reasons of whatever is worth a word. */
export const statusLines = (verdicts: readonly Verdict[], options: ViewOptions): string[] => {
  if (verdicts.length === 0) {
    return [
      'No consumer is registered in this database yet.',
      options.style.dim('Start the app, or run: npx factline migrate'),
    ];
  }
  const reasons = reasonLines(verdicts, options);
  return [...renderTable(verdicts, columns, options), ...(reasons.length === 0 ? [] : ['', ...reasons])];
};

const labelWidthMax = 30;

const reasonLines = (verdicts: readonly Verdict[], { width, style }: ViewOptions): string[] => {
  const explained = verdicts.filter(({ reasons }) => reasons.length > 0);
  const labelWidth = Math.min(
    labelWidthMax,
    Math.max(0, ...explained.map((verdict) => textWidth(nameText(verdict)))),
  );
  const room = Math.max(20, Math.min(width, 120) - labelWidth - 2);
  return explained.flatMap((verdict) => {
    const label = truncate(nameText(verdict), labelWidth);
    const lines = verdict.reasons.flatMap(({ text }) => wrap(printable(text), room));
    return lines.map((line, index) => {
      const shown = index === 0 ? label : '';
      return `${verdictPaint(verdict.verdict, style)(shown)}${' '.repeat(labelWidth - textWidth(shown))}  ${line}`;
    });
  });
};

/** One sentence over all: what needs a person. Builds that nobody reads have promised nothing. */
export const summaryLine = (verdicts: readonly Verdict[], style: Style): string => {
  const promises = verdicts.filter(({ state }) => state === 'live');
  const count = (name: VerdictName): number => promises.filter(({ verdict }) => verdict === name).length;
  const parts = (['STALLED', 'UNKNOWN', 'LATE', 'PAUSED'] as const)
    .filter((name) => count(name) > 0)
    .map((name) => verdictPaint(name, style)(`${count(name)} ${name}`));
  const building = verdicts.filter(({ filling }) => filling !== null).length;
  if (building > 0) parts.push(style.cyan(`${building} being built`));
  const parked = verdicts.reduce((sum, { quarantined }) => sum + (quarantined?.keys ?? 0), 0);
  if (parked > 0) parts.push(style.yellow(`${countText(parked, 'key')} in quarantine`));
  const stuck = verdicts.reduce((sum, verdict) => sum + stuckCount(verdict), 0);
  if (stuck > 0) parts.push(style.yellow(`${countText(stuck, 'workflow')} stuck`));
  return [`${count('OK')} of ${countText(promises.length, 'promise')} kept`, ...parts].join(' · ');
};
