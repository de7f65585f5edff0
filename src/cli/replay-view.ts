import { durationText } from '../operations/index.ts';
import {
  type BlastRadius,
  failureRateText,
  type Predicted,
  predicateText,
  type Replay,
  type ReplaySummary,
  type SampleRun,
  type Within,
  waitingFor,
  windowText,
} from '../replay/index.ts';
import { printable, type Style, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';

export interface ReplayViewOptions {
  readonly width: number;
  readonly style: Style;
}

export const numberText = (count: number): string => count.toLocaleString('en-US');

/** In round numbers: no more of it than is known. */
const rounded = (within: Within): ((value: number, to: 'floor' | 'round' | 'ceil') => string) => {
  const step = 10 ** Math.max(0, Math.floor(Math.log10((within.high - within.low) / 2)));
  return (value, to) => numberText(Math[to](value / step) * step);
};

/** How many events, short: `~9,980,000` where they were not counted. */
export const roughCountText = (count: number, within: Within | null): string =>
  within === null ? numberText(count) : `~${rounded(within)(count, 'round')}`;

const estimatedText = (count: number, within: Within | null): string => {
  if (within === null) return numberText(count);
  const text = rounded(within);
  return `about ${text(count, 'round')} (${text(within.low, 'floor')} to ${text(within.high, 'ceil')}, estimated from a sample)`;
};

const labelWidth = 11;
const readableWidth = 100;

/** Facts with their labels in a column of their own; what is empty is left out. */
export const facts = (
  rows: readonly (readonly [label: string, text: string])[],
  { width, style }: ReplayViewOptions,
): string[] =>
  rows.flatMap(([label, text]) => {
    if (text === '') return [];
    const [first = '', ...rest] = wrap(printable(text), Math.min(width, readableWidth) - labelWidth - 3);
    const indent = ' '.repeat(labelWidth + 3);
    return [`  ${style.dim(label.padEnd(labelWidth))} ${first}`, ...rest.map((line) => `${indent}${line}`)];
  });

const stateText = (state: string): string => state.replaceAll('_', ' ');

const statePaint = (state: string, style: Style): ((text: string) => string) => {
  if (state === 'done') return style.green;
  if (['failed', 'done_with_failures', 'aborted', 'rejected', 'expired'].includes(state)) return style.red;
  return ['canary', 'running', 'verifying', 'paused'].includes(state) ? style.cyan : style.yellow;
};

const selectionText = ({ manifest: { selection } }: Replay): string => {
  if (selection.source === 'quarantine') return `what waits in quarantine with ${selection.fingerprint}`;
  const { from, to, since, until, types, keys, where, ids } = selection;
  return [
    ids === null
      ? `log from position ${from}${to === null ? '' : ` to ${to}`}`
      : `${ids.length === 1 ? '1 event' : `${ids.length} events`} by id`,
    since === null ? '' : `since ${since}`,
    until === null ? '' : `until ${until}`,
    types === null ? '' : `of ${types.join(', ')}`,
    keys === null ? '' : `of ${keys.length === 1 ? keys[0] : `${keys.length} keys`}`,
    where === null ? '' : `where ${predicateText(where)}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
};

const people = ({ plannedBy, requestedBy, manifest }: Replay): string =>
  [
    `planned by ${plannedBy}`,
    requestedBy === null ? '' : `requested by ${requestedBy}`,
    manifest.owner === null ? '' : `owner ${manifest.owner}`,
  ]
    .filter((part) => part !== '')
    .join(', ');

const effectsText = ({ mode, manifest: { effects, publish } }: Replay): string => {
  if (mode === 'shadow') return 'tried in the shadow and compared with what is recorded; nothing happens';
  if (mode === 'release') return 'released from quarantine: effects and published events as in life';
  if (mode === 'blue-green') return 'rebuilt beside the live table, switched when it agrees';
  const limit = effects.max === null ? '' : ` (at most ${effects.max})`;
  return `delivered again, in order of each key and after live ones, effects: ${effects.policy}${limit}, ${publish === 'publish' ? 'publishes events' : 'publishes nothing'}`;
};

/** A rebuild has a pace of its own, and nothing but its comparison stops it. */
const paceText = ({ mode, manifest: { rate, canary } }: Replay): string => {
  if (mode === 'blue-green') return '';
  const first = canary.length === 0 || mode === 'shadow' ? '' : `; first ${canary.join(', ')}, then the rest`;
  return `at most ${rate.ceiling}/s, less for the sake of live events, down to ${rate.floor}/s and to a stop${first}`;
};

const guardsText = ({ mode, manifest: { guards } }: Replay): string =>
  mode === 'blue-green' || mode === 'shadow'
    ? ''
    : `by itself when more than ${failureRateText(guards.failureRate)} fail, or ${guards.sameFingerprint} in the same way`;

const parityTexts: Readonly<Record<Replay['parity'], string>> = {
  'every-row': 'every row with the live table, before readers see it',
  'every-outcome': 'every outcome with the recorded one',
  none: '',
};

const frozenText = ({ frozen }: Replay): string =>
  frozen === null
    ? 'not yet'
    : `${estimatedText(frozen.selected, frozen.selectedWithin)} events up to position ${frozen.ceiling}; ${frozen.expired ? 'expired' : 'holds until'} ${frozen.expiresAt.slice(0, 19)}Z; digest ${frozen.digest.slice(0, 12)}`;

/** Everything about one replay: what it is, what it would touch, who approved it, what to do next. */
export const replayLines = (replay: Replay, view: ReplayViewOptions): string[] => {
  const { style } = view;
  const { id, manifest, state, revision, paused, breakGlass } = replay;
  const title = `${style.bold(`Replay ${id}: ${printable(manifest.title)}`)}  ${statePaint(state, style)(stateText(state))}`;
  return [
    title,
    ...(breakGlass ? [style.red('  BREAK GLASS: one person approved this alone')] : []),
    ...facts(
      [
        ['why', manifest.reason],
        ['who', people(replay)],
        ['reference', manifest.reference ?? ''],
        [
          'consumer',
          `${replay.consumer} (${replay.class}), code ${replay.codeVersion}, revision ${revision}`,
        ],
        ['how', effectsText(replay)],
        ['pace', paceText(replay)],
        ['stops', guardsText(replay)],
        ['undone by', manifest.rollback ?? ''],
        ['compared', parityTexts[replay.parity]],
        ['selection', selectionText(replay)],
        ['hours', manifest.window === null ? '' : windowText(manifest.window)],
        ['frozen', frozenText(replay)],
        [
          'paused',
          paused === null ? '' : `by ${paused.by}${paused.reason === null ? '' : `: ${paused.reason}`}`,
        ],
      ],
      view,
    ),
    ...cardLines(replay, view),
    ...approvalLines(replay, view),
    ...nextLines(replay, view),
  ];
};

export const predictedText = ({ likely, low, high }: Predicted): string =>
  low === high ? numberText(likely) : `${numberText(likely)} (${numberText(low)} to ${numberText(high)})`;

/** The blast-radius card. */
const cardLines = ({ estimate, manifest }: Replay, view: ReplayViewOptions): string[] => {
  if (estimate === null) return [];
  const { blastRadius: card, sample, noSample, fanOut } = estimate;
  const keys = `${card.keys.exact ? '' : 'at least '}${numberText(card.keys.count)} keys`;
  return [
    '',
    view.style.bold('Blast radius'),
    ...facts(
      [
        [
          'events',
          `${estimatedText(card.events, card.eventsWithin ?? null)} of ${keys}${durationPart(card.durationSeconds, manifest.rate.ceiling)}`,
        ],
        [
          'consumers',
          [card.consumers.direct, ...card.consumers.derived.map((name) => `${name} (derived)`)].join(', '),
        ],
        ...card.effects.map(({ name, text }) => ['effect', `${name}: ${text}`] as const),
        ...fanOut.derived.map(
          ({ type, predicted }) => ['publishes', derivedText(type, predicted, manifest.publish)] as const,
        ),
        ['undo', card.irreversible ?? 'everything can be taken back'],
        [
          'promises',
          card.promises
            .map((each) => `${each.consumer} within ${durationText(each.handledWithinMs)}`)
            .join(', '),
        ],
        ['left out', card.unreplayable.map(({ why, events }) => `${events} ${why}`).join(', ')],
        ['sample', sample === null ? `none: ${noSample}` : sampleText(sample)],
      ],
      view,
    ),
    ...card.warnings.flatMap((warning) =>
      wrap(`! ${printable(warning)}`, Math.min(view.width, readableWidth) - 2).map(
        (line) => `  ${view.style.yellow(line)}`,
      ),
    ),
  ];
};

const durationPart = (duration: BlastRadius['durationSeconds'], ceiling: number): string => {
  if (duration === null) return '';
  const { atCeiling, likely } = duration;
  const seconds = (value: number): string => durationText(value * 1_000);
  return likely > atCeiling
    ? `, about ${seconds(likely)} (${seconds(atCeiling)} at the ceiling of ${ceiling}/s)`
    : `, about ${seconds(atCeiling)} at most ${ceiling}/s`;
};

const derivedText = (type: string, predicted: Predicted, publish: 'suppress' | 'publish'): string =>
  `${type}: ${publish === 'publish' ? `about ${predictedText(predicted)}` : `none (it would be about ${predictedText(predicted)})`}`;

const sampleText = ({ events, wanted, outcomes, errors, meanMs }: SampleRun): string => {
  const counts = Object.entries(outcomes).filter(([, count]) => count > 0);
  const tried = `${events}${events < wanted ? ` of ${wanted}` : ''} tried: ${counts.map(([name, count]) => `${count} ${name}`).join(', ')}; ${meanMs} ms each`;
  const worst = errors.map(({ events: times, code, message }) => `${times}× ${code}: ${message}`);
  return [tried, ...worst].join('; ');
};

const approvalLines = ({ approvals, state }: Replay, view: ReplayViewOptions): string[] => {
  if (state === 'draft' || state === 'estimating') return [];
  const { required, given } = approvals;
  return [
    '',
    view.style.bold(`Approvals: ${given.length} of ${required}`),
    ...facts(
      given.map(({ approver, at, reason, breakGlass }) => [
        at.slice(0, 10),
        `${approver}${breakGlass ? ' BROKE THE GLASS' : ''}${reason === null ? '' : `: ${reason}`}`,
      ]),
      view,
    ),
  ];
};

/** The command that brings a replay on; null: nothing does. */
export const nextCommand = (replay: Replay): string | null => {
  const { id, state, frozen } = replay;
  switch (waitingFor(replay)?.step ?? state) {
    case 'estimate':
      return `factline replay estimate ${id}`;
    case 'request':
      return `factline replay request ${id}`;
    case 'approval':
      return `factline replay approve ${id} --digest ${frozen?.digest.slice(0, 12)}`;
    case 'run':
      return `factline replay run ${id}`;
    case 'canary':
    case 'running':
      // A shadow is carried on by its own command.
      return `factline replay ${replay.mode === 'shadow' ? 'run' : 'watch'} ${id}`;
    case 'paused':
      return `factline replay resume ${id}`;
    case 'done':
    case 'done_with_failures':
    case 'failed':
      return `factline replay report ${id}`;
    default:
      return null;
  }
};

const nextLines = (replay: Replay, { style }: ReplayViewOptions): string[] => {
  const command = nextCommand(replay);
  return command === null ? [] : ['', `${style.dim('next')}  ${style.cyan(command)}`];
};

const listColumns: readonly Column<ReplaySummary>[] = [
  { title: 'ID', value: ({ id }) => String(id), align: 'right' },
  { title: 'TITLE', value: ({ title }) => printable(title), widthMin: 12, paint: (_row, { bold }) => bold },
  { title: 'CONSUMER', value: ({ consumer }) => consumer, widthMin: 8 },
  {
    title: 'STATE',
    value: ({ state, breakGlass }) => `${stateText(state)}${breakGlass ? ' GLASS' : ''}`,
    paint: ({ state, breakGlass }, style) => (breakGlass ? style.red : statePaint(state, style)),
  },
  {
    title: 'EVENTS',
    value: ({ selected, selectedWithin }) =>
      selected === null ? '–' : roughCountText(selected, selectedWithin),
    align: 'right',
  },
  { title: 'DONE', value: ({ released }) => numberText(released), align: 'right', dropOrder: 2 },
  {
    title: 'APPROVED',
    value: ({ approvals }) => `${approvals.given}/${approvals.required}`,
    align: 'right',
    dropOrder: 3,
  },
  { title: 'BY', value: ({ plannedBy }) => printable(plannedBy), dropOrder: 1, widthMin: 6 },
];

export const replayListLines = (replays: readonly ReplaySummary[], view: ReplayViewOptions): string[] =>
  replays.length === 0 ? ['No replay.'] : renderTable(replays, listColumns, view);
