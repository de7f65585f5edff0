import { durationText, type InstanceDetail, type TimelineEntry } from '../operations/index.ts';
import { hanging, printable, truncate, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';
import { callLabel, standingText, statePaint, untilText, type WorkflowView } from './workflow-view.ts';

const labelWidth = 10;
const readableWidth = 120;
const stackLinesShown = 4;

/** Everything about one instance: what it is, what it did, what people did to it, and what to do now. */
export const instanceLines = (detail: InstanceDetail, view: WorkflowView): string[] => [
  ...headLines(detail, view),
  ...callLines(detail, view),
  ...undoLines(detail, view),
  ...differenceLines(detail, view),
  ...failureLines(detail, view),
  ...repairLines(detail, view),
  ...adviceLines(detail, view),
];

const headLines = (detail: InstanceDetail, view: WorkflowView): string[] => {
  const { style, nowMs } = view;
  const { id, workflow, version, state, ending, problem } = detail;
  const towards = state === 'compensating' && ending !== null ? ` (will be ${ending})` : '';
  const field = (label: string, value: string | null): string[] => {
    if (value === null || value === '') return [];
    const room = Math.max(20, Math.min(view.width, readableWidth) - labelWidth - 1);
    const [first = '', ...rest] = wrap(printable(value), room).flatMap((line) => broken(line, room));
    const indent = ' '.repeat(labelWidth + 1);
    return [`${style.dim(label.padEnd(labelWidth))} ${first}`, ...rest.map((line) => indent + line)];
  };
  return [
    `${style.bold(`#${id} ${workflow} v${version}`)}  ${statePaint(state, style)(`${state}${towards}`)}`,
    '',
    ...field('key', detail.key),
    ...field('started', `${when(detail.startedAt, nowMs)}${startText(detail)}`),
    ...field('at', detail.endedAt === null && problem === null ? standingText(detail, nowMs) : null),
    ...field('problem', problem),
    ...field('changed', detail.endedAt === null ? when(detail.changedAt, nowMs) : null),
    ...field('ended', detail.endedAt === null ? null : when(detail.endedAt, nowMs)),
    ...field('process', processText(detail)),
    ...field('deaths', detail.deaths === 0 ? null : `${detail.deaths}: a process died over it`),
    ...field('code', detail.codeVersion),
    ...field(
      'refused',
      detail.rejectedStarts === 0 ? null : `${detail.rejectedStarts} more starts of its key`,
    ),
    ...field('input', valueText({ value: detail.input, tooLarge: false })),
    ...field('result', detail.state === 'completed' ? valueText(detail.result) : null),
  ];
};

/** JSON has hardly a space to break a line at. */
const broken = (line: string, room: number): readonly string[] =>
  line.match(new RegExp(`.{1,${room}}`, 'gu')) ?? [''];

const startText = ({ startedBy, forkedFrom }: InstanceDetail): string => {
  if (forkedFrom !== null) return `, forked from #${forkedFrom}`;
  if (startedBy === null) return ' by the app';
  return ` by ${startedBy.type ?? 'an event'} at position ${startedBy.position}`;
};

const processText = ({ held, process }: InstanceDetail): string | null => {
  if (!held) return null;
  return process === null ? 'held by a process that is gone' : `${process.pid} on ${process.host}`;
};

const when = (time: string, nowMs: number): string =>
  `${time} (${durationText(Math.max(0, nowMs - Date.parse(time)))} ago)`;

const valueWidthMax = 400;

const valueText = ({ value, tooLarge }: { readonly value: unknown; readonly tooLarge: boolean }): string => {
  if (tooLarge) return '(too large to show: --value-bytes)';
  return value === null || value === undefined ? '' : truncate(JSON.stringify(value), valueWidthMax);
};

const clockText = (time: string | null): string => (time === null ? '' : time.slice(11, 19));

const tookText = ({ beganAt, endedAt }: TimelineEntry): string =>
  beganAt === null || endedAt === null ? '' : durationText(Date.parse(endedAt) - Date.parse(beganAt));

/** When the table is looked at; `isOver`: the function goes on no more. */
interface Moment {
  readonly nowMs: number;
  readonly isOver: boolean;
}

const outcomeText = (entry: TimelineEntry, { nowMs, isOver }: Moment): string => {
  const { state, kind, dueAt, waitsFor, error } = entry;
  if (state === 'failed') return error?.message ?? 'failed';
  if (state === 'skipped') return 'skipped by a person';
  if (state === 'done')
    return kind === 'wait' && entry.value === null && !entry.tooLarge ? 'time was up' : valueText(entry);
  const isCutOff = dueAt === null && kind !== 'wait' && kind !== 'sleep';
  if (isCutOff) return 'may have happened: it was cut off';
  if (isOver) return error === null ? 'given up' : `given up; ${error.message}`;
  const until = dueAt === null ? '' : untilText(dueAt, nowMs);
  if (kind === 'wait') return [`waits for ${waitsFor?.key ?? 'an event'}`, until].filter(Boolean).join(', ');
  if (kind === 'sleep') return `sleeps ${until}`;
  const again = `tried again: ${until}`;
  return error === null ? again : `${again}; ${error.message}`;
};

const marks = { done: '✓', failed: '✗', pending: '…', skipped: '↷' } as const;

const columnsOf = (moment: Moment): readonly Column<TimelineEntry>[] => [
  { title: '#', value: ({ ordinal }) => String(ordinal), align: 'right' },
  {
    title: ' ',
    value: ({ state }) => marks[state],
    paint: ({ state }, style) =>
      ({ done: style.green, failed: style.red, pending: style.cyan, skipped: style.yellow })[state],
  },
  { title: 'CALL', value: (entry) => printable(callLabel(entry)), widthMin: 12 },
  {
    title: 'TRIES',
    value: ({ attempts }) => (attempts === 0 ? '' : String(attempts)),
    align: 'right',
    dropOrder: 3,
  },
  { title: 'AT', value: ({ endedAt, beganAt }) => clockText(endedAt ?? beganAt), dropOrder: 2 },
  { title: 'TOOK', value: tookText, align: 'right', dropOrder: 4 },
  { title: 'RESULT', value: (entry) => printable(outcomeText(entry, moment)), widthMin: 20 },
];

const callLines = (
  { calls, earlierCalls, ending, endedAt }: InstanceDetail,
  { width, style, nowMs }: WorkflowView,
): string[] => {
  if (calls.length === 0) return ['', style.dim('Nothing is on record of it yet.')];
  const earlier = earlierCalls === 0 ? [] : [style.dim(`… ${earlierCalls} earlier calls: --calls`)];
  const columns = columnsOf({ nowMs, isOver: ending !== null || endedAt !== null });
  return ['', style.bold('Calls'), ...earlier, ...renderTable(calls, columns, { width, style })];
};

const undoLines = ({ undos }: InstanceDetail, { width, style, nowMs }: WorkflowView): string[] =>
  undos.length === 0
    ? []
    : [
        '',
        style.bold('Compensation'),
        ...renderTable(undos, columnsOf({ nowMs, isOver: false }), { width, style }),
      ];

interface Pair {
  readonly ordinal: number;
  readonly recorded: string;
  readonly called: string;
}

/** Calls around the first difference; the equal ones before it tell little. */
const pairsBefore = 3;
const pairsAfter = 10;

/** What the journal has and what the code calls, side by side. */
export const differenceLines = (
  { difference }: Pick<InstanceDetail, 'difference'>,
  { width, style }: WorkflowView,
): string[] => {
  if (difference === null) return [];
  const { ordinal, recorded, called } = difference;
  const first = Math.max(0, ordinal - pairsBefore);
  const last = Math.min(Math.max(recorded.length, called.length), ordinal + pairsAfter);
  const pairs = Array.from({ length: Math.max(0, last - first) }, (_, index): Pair => {
    const place = first + index;
    return { ordinal: place, recorded: recorded[place] ?? '–', called: called[place] ?? '–' };
  });
  const columns: readonly Column<Pair>[] = [
    { title: '#', value: (pair) => String(pair.ordinal), align: 'right' },
    { title: 'JOURNAL', value: (pair) => printable(pair.recorded), widthMin: 12 },
    {
      title: ' ',
      value: (pair) => (pair.recorded === pair.called ? '=' : pair.ordinal < ordinal ? ' ' : '≠'),
      paint: (pair) => (pair.recorded === pair.called ? style.dim : style.red),
    },
    { title: 'CODE', value: (pair) => printable(pair.called), widthMin: 12 },
  ];
  return ['', style.bold('Journal and code'), ...renderTable(pairs, columns, { width, style })];
};

const failureLines = ({ failure }: InstanceDetail, { style }: WorkflowView): string[] => {
  if (failure === null) return [];
  const frames = failure.stack.split('\n').filter((line) => /^\s*at /.test(line));
  return [
    '',
    style.bold('Error'),
    `  ${style.red(printable(`${failure.code ?? failure.name}: ${failure.message}`))}`,
    ...frames.slice(0, stackLinesShown).map((line) => style.dim(`    ${printable(line.trim())}`)),
  ];
};

const repairLines = ({ repairs, requests }: InstanceDetail, { style, width }: WorkflowView): string[] => {
  const reasonText = (reason: string | null): string => (reason === null ? '' : `: ${reason}`);
  const done = repairs.map(({ verb, actor, reason, detail, doneAt }) => {
    const facts = Object.entries(detail).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
    const beside = facts.length === 0 ? '' : ` (${truncate(facts.join(', '), valueWidthMax)})`;
    return `${doneAt.slice(0, 19).replace('T', ' ')}  ${actor}  ${verb}${reasonText(reason)}${beside}`;
  });
  const open = requests.map(
    ({ id, verb, actor, reason }) =>
      `request ${id} waits for a process: ${verb} by ${actor}${reasonText(reason)}`,
  );
  const lines = [...done, ...open];
  return lines.length === 0
    ? []
    : ['', style.bold('Repairs'), ...lines.flatMap((line) => hanging(line, width))];
};

const adviceLines = ({ id, state, difference, undos }: InstanceDetail, { style }: WorkflowView): string[] => {
  if (state !== 'stuck') return [];
  const failed = undos.find((undo) => undo.state === 'failed');
  const lines =
    failed === undefined
      ? [
          difference === null
            ? ''
            : 'Deploy code that fits the journal (docs/workflows.md, "Versions"), then:',
          `Try again: factline workflow retry ${id}`,
          `Give up:   factline workflow cancel ${id} --reason "…"`,
        ]
      : [
          `Try the undo again: factline workflow repair retry-step ${id} --step ${JSON.stringify(failed.name)} --reason "…"`,
          `Do without it:      factline workflow repair skip ${id} --step ${JSON.stringify(failed.name)} --evidence "…" --reason "…"`,
        ];
  return ['', ...lines.filter((line) => line !== '').map((line) => style.dim(line))];
};
