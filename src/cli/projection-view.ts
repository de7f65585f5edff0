import type { Comparison, Difference } from '../consumers/index.ts';
import { countText, durationText, type Verdict } from '../operations/index.ts';
import type { BuildProgress } from '../replay/index.ts';
import { verdictPaint } from './status-view.ts';
import { marked, printable, type Style } from './style.ts';
import { type Column, renderTable } from './table.ts';

/** A build as `projection list` shows it. */
export interface ListedBuild {
  readonly build: BuildProgress;
  /** Null for one that nobody feeds: there is nothing to judge. */
  readonly verdict: Verdict | null;
}

const stagePaint = (stage: BuildProgress['stage'], style: Style): ((text: string) => string) => {
  if (stage === 'live') return style.green;
  return stage === 'differs' ? style.red : style.yellow;
};

const lagText = ({ verdict }: ListedBuild): string =>
  verdict === null || verdict.lagSeconds === null ? '–' : durationText(verdict.lagSeconds * 1_000);

const columns: readonly Column<ListedBuild>[] = [
  {
    title: 'PROJECTION',
    value: ({ build }) => build.name,
    widthMin: 12,
    paint: (_row, style) => style.bold,
  },
  { title: 'VERSION', value: ({ build }) => String(build.version), align: 'right' },
  { title: 'BUILD', value: ({ build }) => String(build.build), align: 'right' },
  {
    title: 'STAGE',
    value: ({ build }) => build.stage,
    paint: ({ build }, style) => stagePaint(build.stage, style),
  },
  {
    title: 'VERDICT',
    value: ({ verdict }) => verdict?.verdict ?? 'not fed',
    paint: ({ verdict }, style) => (verdict === null ? style.dim : verdictPaint(verdict.verdict, style)),
  },
  { title: 'DONE', value: ({ build }) => percentText(build.done), align: 'right' },
  {
    title: 'ETA',
    value: ({ build }) => (build.etaMs === null ? '–' : durationText(build.etaMs)),
    align: 'right',
  },
  { title: 'LAG', value: lagText, align: 'right', dropOrder: 1 },
  { title: 'LANES', value: ({ build }) => String(build.lanes), align: 'right', dropOrder: 2 },
  {
    title: 'CHECKPOINT',
    value: ({ build }) => build.position.toLocaleString('en-US'),
    align: 'right',
    dropOrder: 3,
  },
  { title: 'HEAD', value: ({ build }) => build.head.toLocaleString('en-US'), align: 'right', dropOrder: 4 },
];

/** Never 100 % before it is. */
export const percentText = (share: number): string => `${Math.floor(share * 100)} %`;

export const buildListLines = (
  builds: readonly ListedBuild[],
  { width, style }: { readonly width: number; readonly style: Style },
): string[] => [
  ...renderTable(builds, columns, { width, style }),
  ...builds.flatMap(({ build }) => {
    const remark = build.obstacle ?? waitingText(build);
    return remark === null
      ? []
      : marked(`build ${build.build} of ${build.name}: ${printable(remark)}`, {
          mark: style.yellow('!'),
          width,
        });
  }),
];

/** What a build waits for that nothing holds up. */
const waitingText = ({ stage, switching, name }: BuildProgress): string | null =>
  stage === 'ready' && switching === 'manual'
    ? `readers see it after factline projection switch ${name}`
    : null;

/** One line of a build that is followed. */
export const followLine = ({ build, stage, done, etaMs, lanes, obstacle }: BuildProgress): string => {
  const how = lanes > 1 ? ` by ${lanes} lanes` : '';
  const eta = etaMs === null ? '' : `, ${durationText(etaMs)} left`;
  const why = obstacle === null ? '' : `: ${printable(obstacle)}`;
  return stage === 'filling'
    ? `build ${build} filling${how}, ${percentText(done)}${eta}${why}`
    : `build ${build} ${stage}${why}`;
};

export interface ComparisonView {
  readonly style: Style;
  readonly projection: string;
  /** Show the contents of rows. */
  readonly values: boolean;
}

const verdictLine = (comparison: Comparison, { style, projection }: ComparisonView): string => {
  const { verdict, live, build, different, atLeast, liveRows } = comparison;
  const subject = `build ${build} of ${projection}`;
  switch (verdict) {
    case 'equal':
      return `${style.green('✓')} ${subject} has the same ${countText(liveRows, 'row')} as build ${live}, which is read`;
    case 'differs':
      return `${style.red('✗')} ${atLeast ? 'at least ' : ''}${countText(different, 'row')} of ${subject} ${different === 1 ? 'differs' : 'differ'} from build ${live}, which is read`;
    case 'undecided':
      return `${style.yellow('?')} ${countText(different, 'row')} differed, but did not stand still long enough to be compared; try again`;
    case 'incomparable':
      return `${style.yellow('?')} ${subject} and build ${live}, which is read, have no primary key in common: only their rows were counted`;
  }
};

export const comparisonLines = (comparison: Comparison, view: ComparisonView): string[] => {
  const { style } = view;
  const { liveRows, buildRows, ranges, columns: compared, otherColumns, elapsedMs, live, build } = comparison;
  const counts = `rows  build ${live} ${liveRows.toLocaleString('en-US')}, build ${build} ${buildRows.toLocaleString('en-US')}; ${countText(ranges, 'range')} in ${durationText(elapsedMs)}`;
  const others =
    otherColumns.length === 0 ? [] : [style.dim(`only in one of them: ${otherColumns.join(', ')}`)];
  return [
    verdictLine(comparison, view),
    style.dim(counts),
    style.dim(`compared: ${compared.join(', ') || 'nothing'}`),
    ...others,
    ...comparison.sample.flatMap((each) => differenceLines(each, view)),
  ];
};

const differenceLines = (difference: Difference, { style, values }: ComparisonView): string[] => {
  const key = printable(difference.key.join(', '));
  if (difference.where !== 'both') return [`  ${style.bold(key)}  ${difference.where}`];
  const names = difference.columns.join(', ');
  if (!values) return [`  ${style.bold(key)}  ${names}`];
  const text = (row: Difference['live'], name: string): string =>
    printable(JSON.stringify(row?.[name]) ?? 'null');
  return [
    `  ${style.bold(key)}`,
    ...difference.columns.map(
      (name) =>
        `    ${name}  ${style.red(text(difference.live, name))} → ${style.green(text(difference.build, name))}`,
    ),
  ];
};
