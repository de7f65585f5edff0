import type { ReplayState, Within } from '../replay/index.ts';
import { countText } from './replay-view.ts';
import { printable, type Style } from './style.ts';

/** A replay at one moment, as `replay watch` shows it. */
export interface ReplayMoment {
  readonly id: number;
  readonly consumer: string;
  readonly state: ReplayState;
  readonly selected: number;
  /** Null: they were counted; else what was estimated lies between these. */
  readonly selectedWithin: Within | null;
  readonly released: number;
  readonly handled: number;
  readonly failed: number;
  readonly underWay: number;
  /** Handled since the last look; null at the first. */
  readonly ratePerSecond: number | null;
  readonly allowedPerSecond: number | null;
  /** Null: a rebuild, which goes as fast as live consumers allow. */
  readonly ceiling: number | null;
  readonly yielding: string | null;
  readonly live: { readonly consumer: string | null; readonly danger: number };
  readonly pausedReason: string | null;
}

const barMax = 40;

const bar = (share: number, width: number): string => {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
};

const count = (value: number): string => value.toLocaleString('en-US');

/** How far it is, its rate against its ceiling, and how live consumers are meanwhile. */
export const watchLines = (
  moment: ReplayMoment,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] => {
  const { id, consumer, state, selected, selectedWithin, handled, failed, underWay, live, ceiling } = moment;
  const wide = Math.max(Math.min(barMax, width - 40), 5);
  const share = selected === 0 ? 1 : (handled + failed) / selected;
  const rate = moment.ratePerSecond;
  const allowed = moment.allowedPerSecond;
  const pace =
    ceiling === null
      ? `${rate ?? '–'}/s, as fast as live consumers allow`
      : `${bar((rate ?? 0) / ceiling, wide)} ${rate ?? '–'}/s, allowed ${allowed === null ? '–' : Math.round(allowed * 10) / 10}, ceiling ${ceiling}`;
  const worst =
    live.consumer === null
      ? 'nothing waits'
      : `${live.consumer}: ${Math.round(live.danger * 100)} % of its promise`;
  const failures = failed === 0 ? '' : `, ${style.red(`${count(failed)} failed`)}`;
  return [
    `${style.bold(`Replay ${id}`)} of ${printable(consumer)}  ${style.cyan(state.replaceAll('_', ' '))}`,
    `  ${style.dim('events')}  ${bar(share, wide)} ${countText(handled, selectedWithin)} of ${countText(selected, selectedWithin)}${failures}, ${count(underWay)} under way`,
    `  ${style.dim('rate  ')}  ${pace}`,
    `  ${style.dim('live  ')}  ${bar(live.danger, wide)} ${printable(worst)}`,
    ...(moment.yielding === null ? [] : [`  ${style.yellow(printable(moment.yielding))}`]),
    ...(moment.pausedReason === null
      ? []
      : [`  ${style.yellow(printable(`paused by ${moment.pausedReason}`))}`]),
  ];
};
