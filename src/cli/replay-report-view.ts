import { durationText } from '../operations/index.ts';
import {
  hasEnded,
  type Replay,
  type ReplayOutcome,
  type ReplayReport,
  type ShadowDifference,
  type ShadowFinding,
} from '../replay/index.ts';
import { facts, numberText, predictedText, type ReplayViewOptions, replayLines } from './replay-view.ts';
import { hanging } from './style.ts';

const outcomeRows = ({ mode, outcome, manifest }: Replay): (readonly [string, string])[] => {
  if (outcome === null) return [];
  if (mode === 'blue-green') return [['outcome', JSON.stringify(outcome)]];
  if (mode === 'shadow') return [];
  const { behindFailed, published, suppressed, live } = outcome as unknown as ReplayOutcome;
  const behind = `${numberText(behindFailed)} not handled, since an event of their key before them failed`;
  return [
    ['behind', behindFailed === 0 ? '' : behind],
    [
      'published',
      mode === 'release'
        ? ''
        : manifest.publish === 'publish'
          ? numberText(published)
          : `nothing; ${numberText(suppressed)} dropped`,
    ],
    [
      'live',
      `at worst ${Math.round(live.worst * 100)} % of a promise; it gave way for ${durationText(live.yieldedSeconds * 1_000)}`,
    ],
  ];
};

const differencesShown = 20;

const differenceRow = ({ position, findings }: ShadowDifference): readonly [string, string] => [
  `#${position}`,
  findings.map(findingText).join('; '),
];

const findingText = (finding: ShadowFinding): string => {
  switch (finding.kind) {
    case 'failed':
      return `failed: ${finding.code}: ${finding.message}`;
    case 'effect added':
    case 'effect missing':
      return `${finding.kind}: ${finding.effect}`;
    case 'published otherwise':
      return `published ${finding.type} otherwise: ${finding.fields.join(', ')}`;
    default:
      return `${finding.kind}: ${finding.type}`;
  }
};

const ranText = ({ replay, runSeconds, estimatedSeconds }: ReplayReport): string => {
  if (runSeconds === null) return 'not yet';
  const estimated = estimatedSeconds === null ? '' : `, estimated ${durationText(estimatedSeconds * 1_000)}`;
  return `${durationText(runSeconds * 1_000)}${hasEnded(replay.state) ? '' : ' so far'}${estimated}`;
};

/** What was asked and approved, what it came to, and everything on record. */
export const reportLines = (report: ReplayReport, view: ReplayViewOptions): string[] => {
  const { replay, counts, comparison, compared, differences, arrivedSince, timeline } = report;
  const { style } = view;
  const rows: (readonly [string, string])[] = [
    ['ran', ranText(report)],
    // Of a rebuild the outcome tells what there is to tell.
    [
      'handled',
      compared === null && replay.mode !== 'blue-green'
        ? `${numberText(counts.handled)} of ${numberText(counts.selected)}`
        : '',
    ],
    [
      'compared',
      compared === null
        ? ''
        : `${numberText(compared.equal)} of ${numberText(compared.selected)} came to what is recorded, ${numberText(compared.differs)} to something else`,
    ],
    ...differences.slice(0, differencesShown).map(differenceRow),
    ['failed', counts.quarantined === 0 ? '' : `${numberText(counts.quarantined)} in quarantine`],
    ['under way', counts.parked === 0 ? '' : numberText(counts.parked)],
    ...counts.effects.map(
      ({ name, disposition, count }) => ['effect', `${name}: ${count} ${disposition}`] as const,
    ),
    ...counts.failures.map(
      ({ fingerprint, code, message, events, known }) =>
        [
          known ? 'failure' : 'new failure',
          `${events}× ${code ?? ''} ${message ?? ''} (${fingerprint})`,
        ] as const,
    ),
    [
      'since then',
      arrivedSince === null
        ? ''
        : `${arrivedSince.exact ? '' : 'at least '}${arrivedSince.count} more events match; they are no part of it`,
    ],
    ...outcomeRows(replay),
  ];
  // Before it has ended an estimate is neither right nor wrong.
  const estimated = (hasEnded(replay.state) ? comparison : []).map(
    ({ what, estimated, actual, within }) =>
      [
        'estimated',
        `${what}: ${predictedText(estimated)}, actual ${numberText(actual)}${within ? '' : ' – outside of the estimate'}`,
      ] as const,
  );
  return [
    ...replayLines(replay, view),
    '',
    style.bold('Outcome'),
    ...facts([...rows, ...estimated], view),
    '',
    style.bold('On record'),
    ...timeline.flatMap(({ at, actor, act, decision, reason }) =>
      hanging(
        `${at.slice(0, 19).replace('T', ' ')}  ${actor}  ${act}${decision === 'denied' ? ' DENIED' : ''}${reason === null ? '' : `  ${reason}`}`,
        view.width,
      ),
    ),
  ];
};
