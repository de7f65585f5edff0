import { durationText, type InstanceState, type InstanceSummary } from '../operations/index.ts';
import { type Paint, printable, type Style } from './style.ts';
import { type Column, renderTable } from './table.ts';

export interface WorkflowView {
  readonly width: number;
  readonly style: Style;
  /** For ages. */
  readonly nowMs: number;
}

export const statePaint = (state: InstanceState, style: Style): Paint => {
  if (state === 'completed') return style.green;
  if (state === 'stuck' || state === 'failed') return style.red;
  return state === 'compensating' || state === 'cancelled' ? style.yellow : style.cyan;
};

/** `step charge`, `sleep 1`: as the code calls it. */
export const callLabel = ({ kind, name }: { readonly kind: string; readonly name: string }): string =>
  kind === 'step' || kind === 'transaction' ? `step ${name}` : name;

const attemptText = (attempts: number): string =>
  attempts > 0 ? ` (${attempts} ${attempts === 1 ? 'try' : 'tries'})` : '';

/** What an instance is at, in a few words. */
export const standingText = (instance: InstanceSummary, nowMs: number): string => {
  const { state, lastCall, dueAt, problem, held } = instance;
  const at = lastCall === null ? 'its beginning' : callLabel(lastCall);
  if (problem !== null && state !== 'completed') return problem;
  if (state === 'queued') return 'waits for the end of the living one';
  if (state === 'waiting' && lastCall?.state === 'pending') {
    const until = dueAt === null ? '' : `, ${untilText(dueAt, nowMs)}`;
    return `${at}${attemptText(lastCall.kind === 'step' ? lastCall.attempts : 0)}${until}`;
  }
  if (state === 'running') return held ? `at work after ${at}` : `due after ${at}`;
  return lastCall === null ? '' : `after ${at}`;
};

export const untilText = (time: string, nowMs: number): string => {
  const leftMs = Date.parse(time) - nowMs;
  return leftMs > 0 ? `for another ${durationText(leftMs)}` : `due for ${durationText(-leftMs)}`;
};

const columnsOf = (nowMs: number): readonly Column<InstanceSummary>[] => [
  { title: 'ID', value: ({ id }) => String(id), align: 'right', paint: (_row, style) => style.bold },
  { title: 'WORKFLOW', value: ({ workflow, version }) => `${workflow} v${version}`, widthMin: 10 },
  { title: 'KEY', value: ({ key }) => printable(key), widthMin: 8 },
  {
    title: 'STATE',
    value: ({ state, ending }) =>
      ending === null || state !== 'compensating' ? state : `${state} → ${ending}`,
    paint: ({ state }, style) => statePaint(state, style),
  },
  {
    title: 'STARTED',
    value: ({ startedAt }) => `${durationText(nowMs - Date.parse(startedAt))} ago`,
    align: 'right',
    dropOrder: 2,
  },
  {
    title: 'CHANGED',
    value: ({ changedAt }) => `${durationText(nowMs - Date.parse(changedAt))} ago`,
    align: 'right',
    dropOrder: 3,
  },
  { title: 'AT', value: (instance) => printable(standingText(instance, nowMs)), widthMin: 16, dropOrder: 1 },
];

export const instanceListLines = (
  instances: readonly InstanceSummary[],
  { width, style, nowMs }: WorkflowView,
): string[] => {
  if (instances.length === 0) return ['No instance.'];
  const stuck = instances.find(({ state }) => state === 'stuck');
  const next = stuck ?? instances[0];
  return [
    ...renderTable(instances, columnsOf(nowMs), { width, style }),
    '',
    style.dim(`More: factline workflow show ${next?.id}`),
  ];
};
