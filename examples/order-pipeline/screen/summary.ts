import type { Report } from '../report/report.ts';
import { APP_OPTION, workflowText } from './frame.ts';
import { counted, type Line } from './style.ts';

export interface SummaryFacts {
  readonly report: Report;
  readonly drained: boolean;
  readonly reportPath: string | null;
  /** Mails that arrived again after a kill. */
  readonly mailRepeats: number;
  readonly apiUrl: string;
  /** The pipeline goes on running until Ctrl-C. */
  readonly staysUp: boolean;
}

export function drawSummary(facts: SummaryFacts): Line[] {
  const { report, drained } = facts;
  const good = report.parity.filter(({ ok }) => ok).length;
  const parity = `PARITY ${good}/${report.parity.length}`;
  const placed = report.events.find(({ type }) => type === 'orders.order.placed.v1')?.count ?? 0;
  return [
    [
      { text: drained ? 'Drained' : 'Not drained', tone: 'bold' },
      {
        text: ` after ${report.durationSeconds.toFixed(1)} s: ${counted(report.input.invoices, 'invoice')}, ${counted(placed, 'order')} accepted`,
      },
    ],
    ...report.input.refused.map(({ reason, count }): Line => [{ text: `  ${count} refused: ${reason}` }]),
    ...endLines(report),
    [
      { text: report.ok ? `${parity} to the penny` : parity, tone: report.ok ? 'green' : 'red' },
      {
        text:
          report.kills > 0
            ? ` · ${counted(report.kills, 'kill')} · ${counted(facts.mailRepeats, 'mail')} arrived again`
            : '',
      },
    ],
    ...report.parity
      .filter(({ ok }) => !ok)
      .map(({ check, expected, actual }): Line => {
        return [{ text: `  ✕ ${check}: expected ${expected}, got ${actual}`, tone: 'red' }];
      }),
    ...latencyLines(report),
    [
      {
        text: `${report.throughput.ordersPerSecond} orders/s · ${report.throughput.eventsPerSecond} events/s${facts.reportPath === null ? '' : ` · report: ${facts.reportPath}`}`,
      },
    ],
    ...suggestions(facts),
  ];
}

function endLines({ mode, workflows, consumers }: Report): Line[] {
  const quarantined = consumers.reduce((sum, consumer) => sum + (consumer.quarantined ?? 0), 0);
  const keys = `${counted(quarantined, 'key')} in quarantine`;
  if (mode === 'choreographed') {
    return [[{ text: `  ${keys}; every other order ended in one final state` }]];
  }
  const states = workflowText(new Map(workflows.map(({ state, count }) => [state, count])));
  return [[{ text: `  workflows: ${states}; a total of zero failed for a person to decide; ${keys}` }]];
}

function latencyLines({ latency }: Report): Line[] {
  const measured = latency.filter(({ p50 }) => p50 !== null);
  if (measured.length === 0) return [];
  return [
    [{ text: 'Latency, commit to handled, p50 / p99 ms', tone: 'dim' }],
    ...measured.map(({ consumer, p50, p99 }): Line => [{ text: `  ${consumer.padEnd(24)}${p50} / ${p99}` }]),
  ];
}

function suggestions({ report, apiUrl, staysUp }: SummaryFacts): Line[] {
  const orchestrated = report.mode === 'orchestrated';
  const commands = [
    `npm start -- ${orchestrated ? '--orchestrated ' : ''}--workers 3 --chaos`,
    `npx factline ${orchestrated ? 'workflow' : 'quarantine'} list ${APP_OPTION}`,
    `npx factline events tail ${APP_OPTION}`,
    ...(staysUp ? [`curl ${apiUrl}/orders/536365`] : []),
  ];
  return [
    [{ text: staysUp ? 'The pipeline is still up; Ctrl-C ends it. Try, elsewhere:' : 'Try:', tone: 'dim' }],
    ...commands.map((command): Line => [{ text: `  ${command}` }]),
  ];
}
