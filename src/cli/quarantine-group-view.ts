import {
  countText,
  durationText,
  type GroupNote,
  type QuarantineGroup,
  type Release,
} from '../operations/index.ts';
import { hintLines, marked, printable, type Style, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';

interface View {
  readonly width: number;
  readonly style: Style;
  readonly nowMs: number;
}

const number = (count: number, { partly }: QuarantineGroup): string =>
  `${count.toLocaleString('en-US')}${partly ? '+' : ''}`;

const amount = (count: number, group: QuarantineGroup, one: string): string =>
  `${number(count, group)} ${count === 1 && !group.partly ? one : `${one}s`}`;

const escalationText = ({ escalation, snoozedUntil, assignedTo }: QuarantineGroup): string => {
  if (escalation > 0) return `level ${escalation}`;
  return snoozedUntil === null ? (assignedTo ?? '–') : 'snoozed';
};

const columns = (nowMs: number): readonly Column<QuarantineGroup>[] => [
  { title: 'GROUP', value: ({ id }) => String(id), align: 'right', paint: (_row, style) => style.bold },
  { title: 'CONSUMER', value: ({ consumer }) => consumer, widthMin: 10 },
  { title: 'TYPE', value: ({ eventType }) => printable(eventType), widthMin: 14, dropOrder: 5 },
  { title: 'DISPOSITION', value: ({ disposition }) => disposition },
  { title: 'KEYS', value: (group) => number(group.keys, group), align: 'right' },
  { title: 'BEHIND', value: (group) => number(group.followers, group), align: 'right', dropOrder: 3 },
  {
    title: 'OLDEST',
    value: ({ oldestAt }) => (oldestAt === null ? '–' : durationText(nowMs - Date.parse(oldestAt))),
    align: 'right',
    dropOrder: 1,
  },
  { title: 'SINCE', value: ({ introducedBy }) => printable(introducedBy ?? '–'), widthMin: 6, dropOrder: 6 },
  { title: 'OWNER', value: ({ owner }) => printable(owner ?? '–'), widthMin: 8, dropOrder: 4 },
  {
    title: 'ON CALL',
    value: (group) => printable(escalationText(group)),
    dropOrder: 2,
    paint: ({ escalation }, style) => (escalation > 0 ? style.red : style.dim),
  },
  {
    title: 'ERROR',
    value: ({ errorMessage }) => printable(errorMessage),
    widthMin: 16,
    paint: (_row, style) => style.yellow,
  },
];

export const groupListLines = (
  groups: readonly QuarantineGroup[],
  { width, style, nowMs }: View,
): string[] => {
  if (groups.length === 0) return ['Nothing is in quarantine.'];
  const first = groups[0]?.id;
  return [
    ...renderTable(groups, columns(nowMs), { width, style }),
    '',
    ...hintLines(
      [
        `More: factline quarantine groups ${first}`,
        `a few first: factline quarantine release --group ${first} --canary 5`,
      ],
      { width, style },
    ),
  ];
};

const labelWidth = 12;

export const groupDetailLines = (
  group: QuarantineGroup,
  notes: readonly GroupNote[],
  { style, nowMs, ...view }: View,
): string[] => {
  const width = Math.min(view.width, 120);
  const field = (label: string, value: string | null): string[] =>
    value === null
      ? []
      : wrap(printable(value), Math.max(20, width - labelWidth - 1)).map(
          (line, index) => `${style.dim((index === 0 ? label : '').padEnd(labelWidth))} ${line}`,
        );
  const age = group.oldestAt === null ? null : durationText(nowMs - Date.parse(group.oldestAt));
  const waiting = countText(group.followers, 'event waits behind them', 'events wait behind them');
  return [
    `${style.bold(`Group ${group.id}`)}  ${group.consumer} · ${printable(group.eventType)}`,
    '',
    ...field('error', `${group.errorCode}: ${group.errorMessage}`),
    ...field('place', group.place),
    ...field('disposition', `${group.disposition}; what to do: ${group.runbook}`),
    ...field(
      'in quarantine',
      `${amount(group.events, group, 'event')} of ${amount(group.keys, group, 'key')}; ${waiting}`,
    ),
    ...field(
      'ever',
      `${group.failures.toLocaleString('en-US')} from ${group.firstSeenAt} to ${group.lastSeenAt}`,
    ),
    ...field(
      'code',
      `came with ${group.introducedBy ?? 'unknown'}, last seen with ${group.lastCodeVersion ?? 'unknown'}`,
    ),
    ...field('owner', group.owner),
    ...field('assigned to', group.assignedTo),
    ...field('snoozed', group.snoozedUntil === null ? null : `until ${group.snoozedUntil}`),
    ...field(
      'oldest',
      age === null ? null : `${age}; to be looked at within ${durationText(group.triageWithinMs)}`,
    ),
    ...field('escalation', `level ${group.escalation}`),
    ...field(
      'release',
      group.release === null ? null : `${group.release} is under way: factline quarantine releases`,
    ),
    ...(notes.length === 0 ? [] : ['', style.bold('Notes')]),
    ...notes.flatMap(({ author, text, notedAt }) => [
      style.dim(`  ${notedAt} ${printable(author)}`),
      ...wrap(printable(text), Math.max(20, width - 4)).map((line) => `    ${line}`),
    ]),
    '',
    style.dim(`Its events: factline quarantine list --group ${group.id}`),
  ];
};

/** Where a release stands. */
export const releaseLines = (
  release: Release,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] => {
  const { canary, rest } = release;
  const handled = canary.handled + rest.handled;
  const failed = canary.failed + rest.failed;
  const marks = {
    done: style.green('✓'),
    stopped: style.red('✗'),
    cancelled: style.yellow('■'),
    canary: '…',
    releasing: '…',
  };
  const parts = [
    `${handled.toLocaleString('en-US')} of ${release.selected.toLocaleString('en-US')} handled`,
    ...(failed > 0 ? [`${failed} failed again`] : []),
    ...(canary.sent + rest.sent > 0 ? [`${canary.sent + rest.sent} under way`] : []),
    ...(canary.gone + rest.gone > 0 ? [`${canary.gone + rest.gone} gone`] : []),
    ...(release.state === 'canary' ? ['the canary first'] : []),
    ...(release.outcome === null ? [] : [printable(release.outcome)]),
    ...(release.firstFailure === null ? [] : [printable(release.firstFailure)]),
  ];
  const text = `release ${release.id} of group ${release.group} (${release.consumer}) ${release.state}: ${parts.join('; ')}`;
  return marked(text, { mark: marks[release.state], width });
};
