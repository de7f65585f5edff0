import type { ReplayState, WaitingFor, Within } from '../replay/index.ts';
import { roughCountText } from './replay-view.ts';
import { printable, type Style, wrap } from './style.ts';

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
  /** What has to happen before it begins; null: it has. */
  readonly waitingFor: WaitingFor | null;
  /** It has begun, and no living process works its consumer. */
  readonly unworked: boolean;
  /** The command that brings it on; null: it goes on by itself, or has ended. */
  readonly next: string | null;
  readonly pausedReason: string | null;
}

const barMax = 40;

const bar = (share: number, width: number): string => {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
};

const count = (value: number): string => value.toLocaleString('en-US');

const stepTexts: Readonly<Record<WaitingFor['step'], string>> = {
  estimate: 'waits for its estimate, which freezes the selection',
  request: 'waits for somebody to ask for approval',
  approval: 'waits for approval',
  run: 'approved; waits for somebody to begin it',
};

const waitingText = ({ step, approvals, notBy, expiresAt, expired }: WaitingFor): string => {
  const until = expiresAt === null ? '' : `${expiresAt.slice(0, 19)}Z`;
  if (expired) return `what was frozen holds no longer (since ${until}): it has to be estimated anew`;
  const { required, given } = approvals;
  const who =
    step === 'approval'
      ? ` by ${required - given.length} more (${given.length} of ${required}), not by ${notBy.join(', ')}`
      : '';
  return `${stepTexts[step]}${who}${until === '' ? '' : `; holds until ${until}`}`;
};

const paceText = ({ ratePerSecond, allowedPerSecond, ceiling }: ReplayMoment, wide: number): string => {
  const rate = ratePerSecond ?? '–';
  if (ceiling === null) return `${rate}/s, as fast as live consumers allow`;
  const allowed = allowedPerSecond === null ? '–' : Math.round(allowedPerSecond * 10) / 10;
  return `${bar((ratePerSecond ?? 0) / ceiling, wide)} ${rate}/s, allowed ${allowed}, ceiling ${ceiling}`;
};

/** How far it is, its rate against its ceiling, how live consumers are meanwhile, and what it waits for. */
export const watchLines = (
  moment: ReplayMoment,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] => {
  const { id, consumer, state, selected, selectedWithin, handled, failed, underWay, live } = moment;
  const wide = Math.max(Math.min(barMax, width - 40), 5);
  const share = selected === 0 ? 1 : (handled + failed) / selected;
  const worst =
    live.consumer === null
      ? 'nothing waits'
      : `${live.consumer}: ${Math.round(live.danger * 100)} % of its promise`;
  const failures = failed === 0 ? '' : `, ${style.red(`${count(failed)} failed`)}`;
  const remarks = [
    moment.waitingFor === null ? null : waitingText(moment.waitingFor),
    moment.unworked ? `no process works ${consumer}: it goes on when one does (npx factline start)` : null,
    moment.yielding,
    moment.pausedReason === null ? null : `paused by ${moment.pausedReason}`,
  ];
  return [
    `${style.bold(`Replay ${id}`)} of ${printable(consumer)}  ${style.cyan(state.replaceAll('_', ' '))}`,
    ...(moment.waitingFor === null
      ? [
          `  ${style.dim('events')}  ${bar(share, wide)} ${roughCountText(handled, selectedWithin)} of ${roughCountText(selected, selectedWithin)}${failures}, ${count(underWay)} under way`,
          `  ${style.dim('rate  ')}  ${paceText(moment, wide)}`,
        ]
      : []),
    `  ${style.dim('live  ')}  ${bar(live.danger, wide)} ${printable(worst)}`,
    ...remarks
      .flatMap((text) => (text === null ? [] : wrap(printable(text), Math.max(width - 2, 20))))
      .map((line) => `  ${style.yellow(line)}`),
    ...(moment.next === null ? [] : [`  ${style.dim('next')}  ${style.cyan(moment.next)}`]),
  ];
};
