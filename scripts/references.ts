// The reference pages that are made from the catalogues: rendered here, written by write-references.ts, compared by a test.

import { appErrors } from '../src/foundation/error-catalogue/app-errors.ts';
import { commandErrors } from '../src/foundation/error-catalogue/command-errors.ts';
import { consumerErrors } from '../src/foundation/error-catalogue/consumer-errors.ts';
import { contractErrors } from '../src/foundation/error-catalogue/contract-errors.ts';
import { databaseErrors } from '../src/foundation/error-catalogue/database-errors.ts';
import { gateErrors } from '../src/foundation/error-catalogue/gate-errors.ts';
import { logErrors } from '../src/foundation/error-catalogue/log-errors.ts';
import { replayErrors } from '../src/foundation/error-catalogue/replay-errors.ts';
import { requestErrors } from '../src/foundation/error-catalogue/request-errors.ts';
import { triageErrors } from '../src/foundation/error-catalogue/triage-errors.ts';
import { workflowErrors } from '../src/foundation/error-catalogue/workflow-errors.ts';
import { type ErrorEntry, errorCatalogue } from '../src/foundation/error-catalogue.ts';
import { fineSeriesMax } from '../src/foundation/telemetry-catalogue/buckets.ts';
import {
  type MetricEntry,
  metrics,
  type SpanEntry,
  spans,
  type TelemetryEventEntry,
  telemetryEvents,
} from '../src/foundation/telemetry-catalogue.ts';

const generated =
  '<!-- Made by `node scripts/write-references.ts` from the catalogue in src/foundation/. -->';

const subjects: readonly { readonly title: string; readonly errors: Readonly<Record<string, ErrorEntry>> }[] =
  [
    { title: 'Contracts and events', errors: contractErrors },
    { title: 'The contract gate', errors: gateErrors },
    { title: 'Connections, transactions, migrations', errors: databaseErrors },
    { title: 'The log', errors: logErrors },
    { title: 'Consumers', errors: consumerErrors },
    { title: 'Commands and requests', errors: requestErrors },
    { title: 'Workflows', errors: workflowErrors },
    { title: 'The quarantine', errors: triageErrors },
    { title: 'Roles, record and replay', errors: replayErrors },
    { title: 'Configuration, starting and stopping', errors: appErrors },
    { title: 'Command line', errors: commandErrors },
  ];

/** `{name}` stays readable, and `*`, `<` and `|` of a sentence mean nothing to Markdown. */
const sentence = (text: string): string =>
  text
    .replaceAll(/\{(\w+)\}/g, '*$1*')
    .replaceAll('<', '&lt;')
    .replaceAll('|', '\\|');

const remedyOf = ({ remedy }: ErrorEntry): string =>
  /^\{\w+\}$/.test(remedy) ? 'depends on the case; the error says it.' : sentence(remedy);

const errorSection = (code: string, entry: ErrorEntry): string => {
  const message = entry.message === '{message}' ? 'The message is your own.' : sentence(entry.message);
  const marks = [
    ...(entry.retryable ? ['trying again later may succeed'] : []),
    ...(entry.exitCode === undefined ? [] : [`the command line ends with ${entry.exitCode}`]),
  ];
  return [
    `### ${code}`,
    `${message}`,
    `- Why: ${sentence(entry.cause)}\n- Do: ${remedyOf(entry)}${
      marks.length === 0 ? '' : `\n- Also: ${marks.join('; ')}.`
    }`,
  ].join('\n\n');
};

/** docs/errors.md */
export const renderErrorReference = (): string => {
  const introduction = `# Errors

${generated}

What Factline itself throws is a \`FactlineError\` with a \`code\` from this page, a \`remedy\` (what to do next), \`details\` (the values in the
sentence, as data), \`retryable\` and, where there is one, the \`cause\`. Errors of your own code, and of PostgreSQL in your own statements,
pass through unchanged. Codes are stable: test for them, not for sentences.

\`\`\`ts
// file: by-code.ts
import { FactlineError, type Factline, type Draft } from 'factline'

export const publishOnce = async (app: Factline, draft: Draft): Promise<'published' | 'contradiction'> => {
  try {
    await app.publish(draft)
    return 'published'
  } catch (error) {
    if (FactlineError.is(error, 'DEDUPE_KEY_CONFLICT')) return 'contradiction'
    throw error
  }
}
\`\`\`

Words in *italics* are filled in. ${Object.keys(errorCatalogue).length} codes:`;
  const sections = subjects.map(({ title, errors }) =>
    [`## ${title}`, ...Object.entries(errors).map(([code, entry]) => errorSection(code, entry))].join('\n\n'),
  );
  return `${[introduction, ...sections].join('\n\n')}\n`;
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const names = (list: readonly string[]): string =>
  list.length === 0 ? '–' : list.map((name) => `\`${name}\``).join(', ');

const secondsText = (buckets: readonly number[]): string => buckets.join(', ');

const metricRows = (): string[][] =>
  Object.entries<MetricEntry>(metrics).map(([name, { type, labels, help }]) => [
    `\`${name}\``,
    type,
    names(labels),
    sentence(help),
  ]);

const bucketLines = (): string[] =>
  Object.entries<MetricEntry>(metrics).flatMap(([name, { buckets, coarseBuckets = [] }]) =>
    buckets === undefined
      ? []
      : [`- \`${name}\`: ${secondsText(buckets)}; of many consumers ${secondsText(coarseBuckets)}`],
  );

/** docs/telemetry.md */
export const renderTelemetryReference = (): string => `# Telemetry

${generated}

Nothing is emitted that does not stand here; names are stable. Metrics are served by \`GET /metrics\` of \`factline start\` and \`factline dev\`
in the Prometheus text format, and by \`app.metrics()\` where you have a server of your own. Spans go to whatever OpenTelemetry SDK your program
has set up (examples/order-pipeline/tracing.ts: one for OTLP); Factline itself only uses \`@opentelemetry/api\`. Trace context travels with the events (\`traceparent\`),
so a handler's span is a child of the one that published.

## Metrics

${table(['name', 'type', 'labels', 'what'], metricRows())}

Upper bounds of the histograms' buckets, in seconds. A process with more than ${fineSeriesMax} consumers shows the shorter list: every bucket is a series of
its own, and fifty consumers stay below 2,000 of them.

${bucketLines().join('\n')}

Alert on \`factline_consumer_verdict\` (it weighs age, progress and ownership) and on \`factline_measurement_up == 0\`, rather than on raw counts.

## Spans

${table(
  ['name', 'kind', 'attributes', 'when'],
  Object.entries<SpanEntry>(spans).map(([name, { kind, attributes, when }]) => [
    `\`${name}\``,
    kind,
    names(attributes),
    sentence(when),
  ]),
)}

## Events of the engine

What \`factline start\` writes to its log.

${table(
  ['name', 'level', 'fields', 'when'],
  Object.entries<TelemetryEventEntry>(telemetryEvents).map(([name, { level, fields, when }]) => [
    `\`${name}\``,
    level,
    names(fields),
    sentence(when),
  ]),
)}
`;

export const references: readonly { readonly file: string; readonly render: () => string }[] = [
  { file: 'docs/errors.md', render: renderErrorReference },
  { file: 'docs/telemetry.md', render: renderTelemetryReference },
];
