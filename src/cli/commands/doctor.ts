import { countText, examine, type Finding } from '../../operations/index.ts';
import type { Command } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { printable, type Style, wrap } from '../style.ts';

export const doctor: Command = {
  path: ['doctor'],
  summary: 'Check what goes wrong in practice, with a remedy for each finding.',
  description:
    'Checks the server, its settings, the schema, the log, grants, partitions, clocks, connections, consumers, versions of workflows, lanes and open transactions. Ends with exit code 1 when a check fails; a warning does not.',
  options: databaseOptions,
  examples: [
    { line: 'factline doctor', does: 'before and after a deploy' },
    { line: 'factline doctor --json', does: 'for scripts' },
  ],
  json: [
    { name: 'findings[]', help: '{ check, status, message, remedy }' },
    { name: 'findings[].status', help: 'ok, warn, fail or skipped.' },
    { name: 'findings[].remedy', help: 'What to do; null where nothing is to be done.' },
  ],
  run: (context) =>
    withDatabase(
      context,
      async ({ database, app }) => {
        const { terminal, style, json, clock } = context;
        const settings = app?.internals.settings;
        const findings = await examine({
          database,
          clock,
          ...(settings === undefined ? {} : { app: settings }),
        });
        if (json) terminal.out(JSON.stringify({ findings }));
        else for (const line of findingLines(findings, { width: terminal.width, style })) terminal.out(line);
        return findings.some(({ status }) => status === 'fail') ? 1 : 0;
      },
      { schema: 'any' },
    ),
};

const marks = { ok: '✓', warn: '!', fail: '✗', skipped: '–' } as const;

const findingLines = (
  findings: readonly Finding[],
  { width, style }: { width: number; style: Style },
): string[] => {
  const paints = { ok: style.green, warn: style.yellow, fail: style.red, skipped: style.dim } as const;
  const column = Math.max(...findings.map(({ check }) => check.length));
  const indent = column + 4;
  const room = Math.max(20, Math.min(width, 120) - indent);
  const lines = findings.flatMap(({ check, status, message, remedy }) => {
    const [first = '', ...rest] = wrap(printable(message), room);
    const advice = remedy === null ? [] : wrap(`→ ${remedy}`, room);
    return [
      `${paints[status](marks[status])} ${check.padEnd(column)}  ${first}`,
      ...rest.map((line) => `${' '.repeat(indent)}${line}`),
      ...advice.map((line) => `${' '.repeat(indent)}${style.bold(line)}`),
    ];
  });
  const count = (status: Finding['status']): number =>
    findings.filter((finding) => finding.status === status).length;
  return [...lines, '', `${count('ok')} ok, ${countText(count('warn'), 'warning')}, ${count('fail')} failed`];
};
