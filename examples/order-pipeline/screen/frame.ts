import type { Verdict } from 'factline';
import type { FeedProgress } from '../feeder/feed.ts';
import { column, counted, type Line, sparkline, type Tone } from './style.ts';

/** Everything that the screen shows, at one moment. */
export interface Picture {
  readonly elapsedSeconds: number;
  readonly phase: 'feeding' | 'draining' | 'drained';
  readonly feed: FeedProgress;
  /** Orders accepted in each of the last seconds. */
  readonly ordersPerSecond: readonly number[];
  readonly verdicts: readonly Verdict[];
  readonly handled: ReadonlyMap<string, number>;
  /** How many workflows are in each state; empty where none fulfils the orders. */
  readonly workflows: ReadonlyMap<string, number>;
  /** The newest last. */
  readonly sentences: readonly string[];
  /** What chaos did, the newest last. */
  readonly kills: ReadonlyArray<{ readonly text: string; readonly over: boolean }>;
  readonly apiUrl: string;
}

/** How the command line finds this app; shown wherever a command is suggested. */
export const APP_OPTION = '--app examples/order-pipeline/factline.config.ts';

/** Draws the picture as lines; how many there are does not depend on what happens, so that the screen stands still. */
export function drawFrame(picture: Picture): Line[] {
  const { feed, phase, elapsedSeconds } = picture;
  const refused = [...feed.refused.values()].reduce((sum, count) => sum + count, 0);
  const rate = picture.ordersPerSecond.slice(-5);
  const now = rate.length === 0 ? 0 : rate.reduce((sum, count) => sum + count, 0) / rate.length;
  return [
    [
      { text: 'Factline order pipeline', tone: 'bold' },
      { text: ` · ${clock(elapsedSeconds)} · ${phase} · ${picture.apiUrl}` },
    ],
    [],
    [
      { text: 'ORDERS  ', tone: 'dim' },
      { text: `${now.toFixed(1)}/s `, tone: 'bold' },
      { text: sparkline(picture.ordersPerSecond), tone: 'green' },
      {
        text: ` ${feed.ordersAccepted} accepted · ${refused} refused · ${feed.input.invoices} invoices read`,
      },
    ],
    [],
    [
      {
        text: `${column('CONSUMER', 24)}${column('CLASS', 13)}${column('HANDLED', 9, 'right')}${column('LAG', 9, 'right')}  VERDICT`,
        tone: 'dim',
      },
    ],
    ...picture.verdicts.map((verdict) => consumerLine(verdict, picture.handled.get(verdict.consumer) ?? 0)),
    [],
    ...padded(picture.sentences.slice(-3), 3).map((text): Line => [{ text: text === '' ? '' : `  ${text}` }]),
    [],
    ...quarantineLines(picture.verdicts),
    ...workflowLines(picture.workflows),
    promisesLine(picture.verdicts),
    ...picture.kills.slice(-3).map(({ text }): Line => [{ text, tone: 'yellow' }]),
  ];
}

function consumerLine(
  { consumer, class: name, lagSeconds, verdict, reasons }: Verdict,
  handled: number,
): Line {
  const lag = lagSeconds === null ? '?' : `${lagSeconds.toFixed(1)} s`;
  const reason = verdict === 'OK' ? '' : `  ${reasons[0]?.text ?? ''}`;
  return [
    {
      text: `${column(consumer, 24)}${column(name, 13)}${column(String(handled), 9, 'right')}${column(lag, 9, 'right')}  `,
    },
    { text: verdict, tone: toneOf(verdict) },
    { text: reason },
  ];
}

function toneOf(verdict: Verdict['verdict']): Tone {
  if (verdict === 'OK') return 'green';
  return verdict === 'STALLED' ? 'red' : 'yellow';
}

function quarantineLines(verdicts: readonly Verdict[]): [Line, Line] {
  const holding = verdicts.filter(({ quarantined }) => (quarantined?.keys ?? 0) > 0);
  const title = { text: 'QUARANTINE  ', tone: 'dim' } as const;
  if (holding.length === 0) return [[title, { text: 'empty' }], []];
  const keys = holding.reduce((sum, { quarantined }) => sum + (quarantined?.keys ?? 0), 0);
  const waiting = holding.reduce((sum, { quarantined }) => sum + (quarantined?.waiting ?? 0), 0);
  const names = holding.map(({ consumer }) => consumer).join(', ');
  return [
    [
      title,
      { text: counted(keys, 'key'), tone: 'yellow' },
      { text: ` · ${waiting} waiting · ${names} · other keys keep flowing` },
    ],
    [{ text: `npx factline quarantine list ${APP_OPTION}`, tone: 'dim' }],
  ];
}

/** In the order of a workflow's life. */
const STATES = [
  'queued',
  'running',
  'waiting',
  'compensating',
  'stuck',
  'completed',
  'failed',
  'cancelled',
] as const;

function workflowLines(workflows: ReadonlyMap<string, number>): Line[] {
  if (workflows.size === 0) return [];
  return [[{ text: 'WORKFLOWS   ', tone: 'dim' }, { text: workflowText(workflows) }]];
}

/** `3 running · 41 waiting · 96 completed` */
export function workflowText(workflows: ReadonlyMap<string, number>): string {
  return STATES.flatMap((state) => {
    const count = workflows.get(state) ?? 0;
    return count === 0 ? [] : [`${count} ${state}`];
  }).join(' · ');
}

/** A promise is a consumer's: events handled within the time that it declares. */
function promisesLine(verdicts: readonly Verdict[]): Line {
  const promises = verdicts.filter(({ state }) => state !== 'building');
  const broken = promises.filter(({ verdict }) => verdict === 'LATE' || verdict === 'STALLED').length;
  const tone: Tone = broken === 0 ? 'green' : 'red';
  return [
    { text: 'PROMISES    ', tone: 'dim' },
    { text: `${promises.length - broken} kept, ${broken} broken`, tone },
  ];
}

function padded(texts: readonly string[], count: number): string[] {
  return [...texts, ...Array.from({ length: Math.max(0, count - texts.length) }, () => '')];
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
