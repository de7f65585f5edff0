import {
  countText,
  type DiscardedEvent,
  durationText,
  type ParkedDetail,
  type ParkedSummary,
  type PayloadChange,
} from '../operations/index.ts';
import type { ShownDetail } from './quarantine-detail.ts';
import { hintLines, printable, type Style, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';

interface ListView {
  readonly width: number;
  readonly style: Style;
  /** For ages. */
  readonly nowMs: number;
  readonly next: number | null;
}

const ageText = (time: string | null, nowMs: number): string =>
  time === null ? '–' : durationText(nowMs - Date.parse(time));

export const parkedListLines = (
  events: readonly ParkedSummary[],
  { width, style, nowMs, next }: ListView,
): string[] => {
  if (events.length === 0) return ['Nothing is parked.'];
  const columns: readonly Column<ParkedSummary>[] = [
    { title: 'ID', value: ({ id }) => String(id), align: 'right', paint: () => style.bold },
    { title: 'CONSUMER', value: ({ consumer }) => consumer, widthMin: 10 },
    { title: 'KEY', value: ({ key }) => printable(key), widthMin: 10 },
    { title: 'TYPE', value: ({ type }) => type ?? '–', widthMin: 14, dropOrder: 2 },
    { title: 'STATE', value: ({ state }) => state, dropOrder: 3 },
    {
      title: 'AGE',
      value: ({ recordedAt, parkedAt }) => ageText(recordedAt ?? parkedAt, nowMs),
      align: 'right',
    },
    { title: 'TRIES', value: ({ attempts }) => String(attempts), align: 'right', dropOrder: 4 },
    {
      title: 'BEHIND',
      value: ({ waiting }) => (waiting >= 1_000 ? '1,000+' : String(waiting)),
      align: 'right',
      dropOrder: 1,
    },
    {
      title: 'ERROR',
      value: ({ errorMessage, reason }) => printable(errorMessage ?? reason),
      widthMin: 16,
      paint: () => style.yellow,
    },
  ];
  const lines = renderTable(events, columns, { width, style });
  const first = events[0]?.id;
  lines.push(
    '',
    ...hintLines(
      [`More: factline quarantine show ${first}`, `try again: factline quarantine retry ${first}`],
      { width, style },
    ),
  );
  if (next !== null) lines.push(style.dim(`Next page: factline quarantine list --after ${next}`));
  return lines;
};

interface DetailView {
  readonly width: number;
  readonly style: Style;
  readonly nowMs: number;
  /** The whole stack, not only its first lines. */
  readonly stack: boolean;
}

const stackLinesShown = 6;
const labelWidth = 12;

export const discardedLines = (
  events: readonly DiscardedEvent[],
  view: { readonly width: number; readonly style: Style },
): string[] => {
  if (events.length === 0) return ['Nothing was discarded.'];
  const columns: readonly Column<DiscardedEvent>[] = [
    { title: 'ID', value: ({ id }) => String(id), align: 'right' },
    { title: 'CONSUMER', value: ({ consumer }) => consumer, widthMin: 10 },
    { title: 'KEY', value: ({ keys }) => printable(keys.join(', ')), widthMin: 10 },
    { title: 'BY', value: ({ actor }) => printable(actor), widthMin: 6 },
    { title: 'REASON', value: ({ reason }) => printable(reason), widthMin: 10 },
    {
      title: 'RESTORABLE',
      value: ({ restorable, restoreUntil }) => (restorable ? `until ${restoreUntil}` : 'no longer'),
    },
  ];
  return renderTable(events, columns, view);
};

const sideText = (change: PayloadChange, side: 'before' | 'after'): string =>
  side in change ? printable(JSON.stringify(change[side])) : 'nothing';

/** What an edit changes, a line each. */
export const changeLines = (changes: readonly PayloadChange[], style: Style): string[] =>
  changes.map(
    (change) =>
      `${style.bold(printable(change.path))}: ${style.red(sideText(change, 'before'))} → ${style.green(sideText(change, 'after'))}`,
  );

export const parkedDetailLines = (event: ShownDetail, view: DetailView): string[] => {
  const { style, nowMs } = view;
  const width = Math.min(view.width, 120);
  const field = (label: string, value: string | null): string[] => {
    if (value === null || value === '') return [];
    const [first = '', ...rest] = wrap(printable(value), Math.max(20, width - labelWidth - 1));
    return [
      `${style.dim(label.padEnd(labelWidth))} ${first}`,
      ...rest.map((line) => `${' '.repeat(labelWidth + 1)}${line}`),
    ];
  };
  const behind =
    event.waiting === 0
      ? 'nothing'
      : countText(event.waiting, 'later event of this key', 'later events of this key');
  return [
    `${style.bold(`#${event.id} ${event.state}`)}  ${event.consumer} · ${event.type ?? 'unknown type'}`,
    '',
    ...field('key', event.key),
    ...field('event', `${event.eventId ?? '–'} at position ${event.position}`),
    ...field('recorded', when(event.recordedAt, nowMs)),
    ...field('parked', when(event.parkedAt, nowMs)),
    ...field('next try', event.nextAt === null ? null : when(event.nextAt, nowMs)),
    ...field('behind it', behind),
    ...field('reason', event.reason),
    ...field('attempts', attemptsText(event)),
    ...errorLines(event, view),
    ...section(
      'Effects',
      event.effects.map(
        (effect) =>
          `${effect.name}: ${effect.state} since ${effect.startedAt} (key ${effect.idempotencyKey})`,
      ),
      style,
    ),
    ...decisionLines(event, style),
    ...payloadLines(event, style),
    '',
    style.dim(`Try again: factline quarantine retry ${event.id}`),
    style.dim(`Give up:   factline quarantine discard ${event.id} --reason "…" --by NAME`),
  ];
};

/** What people have made of it. */
const decisionLines = (event: ShownDetail, style: Style): string[] => [
  ...section(
    'Requests',
    event.requests.map(
      (request) =>
        `${request.verb} by ${request.actor}${request.reason === null ? '' : ` (${request.reason})`}: ${request.state}`,
    ),
    style,
  ),
  ...section(
    'Releases',
    event.releases.map(
      ({ release, actor, state, failure }) =>
        `release ${release} by ${actor}: ${state}${failure === null ? '' : ` (${failure})`}`,
    ),
    style,
  ),
  ...section(
    'Redirects',
    event.redirects.map(
      ({ repair, actor, reason, redirectedAt }) =>
        `${redirectedAt} ${repair === null ? 'back to the handler' : `to ${repair}`} by ${actor} (${reason})`,
    ),
    style,
  ),
  ...section(
    'Edits',
    event.edits.map(({ actor, reason, editedAt }) => `${editedAt} by ${actor} (${reason})`),
    style,
  ),
  ...event.edits.flatMap(({ changes }) => changeLines(changes, style).map((line) => `    ${line}`)),
];

const when = (time: string | null, nowMs: number): string | null => {
  if (time === null) return null;
  const ms = nowMs - Date.parse(time);
  return `${time} (${ms >= 0 ? `${durationText(ms)} ago` : `in ${durationText(-ms)}`})`;
};

const attemptsText = ({ attempts, killedAttempts, codeVersion, lastFailedAt }: ParkedDetail): string => {
  const killed = killedAttempts === 0 ? '' : `, ${killedAttempts} of them ended the process`;
  const last = lastFailedAt === null ? '' : `, the last at ${lastFailedAt}`;
  const code = codeVersion === null ? '' : ` with code version ${codeVersion}`;
  return `${attempts}${killed}${last}${code}`;
};

const errorLines = (event: ParkedDetail, { style, stack }: DetailView): string[] => {
  if (event.errorMessage === null) return [];
  const lines = (event.errorStack ?? '').split('\n').filter((line) => /^\s*at /.test(line));
  const shown = stack ? lines : lines.slice(0, stackLinesShown);
  const more =
    lines.length > shown.length
      ? [style.dim(`    … ${lines.length - shown.length} more lines: --stack`)]
      : [];
  const code = event.errorCode === null ? '' : `${event.errorCode}: `;
  return [
    '',
    `${style.bold('Error')} ${style.dim(event.failureClass ?? '')}`,
    `  ${style.red(printable(`${code}${event.errorMessage}`))}`,
    ...shown.map((line) => style.dim(`    ${printable(line.trim())}`)),
    ...more,
    ...event.errorCauses.map(({ name, message }) => `  caused by ${printable(`${name}: ${message}`)}`),
  ];
};

const section = (title: string, lines: readonly string[], style: Style): string[] =>
  lines.length === 0 ? [] : ['', style.bold(title), ...lines.map((line) => `  ${printable(line)}`)];

const payloadLines = (event: ParkedDetail, style: Style): string[] => {
  if (event.data === null || event.data === undefined) return [];
  const text = JSON.stringify(event.data, null, 2).split('\n');
  return ['', style.bold('Payload'), ...text.map((line) => `  ${printable(line)}`)];
};
