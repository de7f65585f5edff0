import {
  type ConsumerReadiness,
  type HandledType,
  planDeprecation,
  type Readiness,
  readiness,
} from '../../contracts/index.ts';
import { exitCodes, FactlineError } from '../../foundation/index.ts';
import { handledTypes } from '../../operations/index.ts';
import type { Command, CommandContext } from '../command.ts';
import { withDatabase } from '../connection.ts';
import { gateOptions, liveOptions, openGateProject } from '../gate-project.ts';
import { type Column, renderTable } from '../table.ts';

export const contractsDeprecate: Command = {
  path: ['contracts', 'deprecate'],
  summary: 'Say what it takes to deprecate a contract, and how far that is done.',
  description:
    'A deprecation is said in the code, where publishers are warned, and repeated in the lock file, where it is reviewed: so the two cannot contradict each other. Prints the line for the declaration, and who has to move. Exit code 0 when code and lock file say exactly this, else 1.',
  arguments: [{ name: 'TYPE', help: 'The contract.', required: true }],
  options: [
    { name: 'since', value: 'DAY', help: 'The first day on which nobody should publish it. Default: today.' },
    { name: 'until', value: 'DAY', help: 'The last day on which consumers are tolerated. Required.' },
    { name: 'replacement', value: 'TYPE', help: 'What takes its place.' },
    ...gateOptions,
  ],
  examples: [
    {
      line: 'factline contracts deprecate shop.order.placed.v1 --until 2026-12-31',
      does: 'what to write, and who has to move',
    },
  ],
  json: [
    { name: 'type, line', help: 'The line for the declaration of the contract.' },
    { name: 'declared, accepted', help: 'Whether the code says so, and the lock file as well.' },
    { name: 'consumers[]', help: '{ name, class, owner, reads }: who has to move.' },
  ],
  run: async (context) => {
    const { given, terminal, style, json, clock } = context;
    const until = given.text('until');
    if (until === undefined)
      throw new FactlineError('ARGUMENT_MISSING', {
        command: 'contracts deprecate',
        argument: '--until DAY',
      });
    const { subject, lock, lockName } = await openGateProject(context);
    const plan = planDeprecation({
      lock,
      subject,
      type: given.arguments[0] ?? '',
      since: given.text('since') ?? clock.wall().toISOString().slice(0, 10),
      until,
      replacement: given.text('replacement') ?? null,
    });
    const { type, line, declared, accepted } = plan;
    const consumers = [...plan.consumers].map(([name, { class: kind, owner, reads }]) => ({
      name,
      class: kind,
      owner,
      reads,
    }));
    if (json) terminal.out(JSON.stringify({ type, line, declared, accepted, consumers }));
    else {
      if (!declared) terminal.out(`Add to the declaration of ${type}:\n\n    ${style.bold(line)}\n`);
      if (!accepted)
        terminal.out(
          `${declared ? 'The code says so. Then' : 'Then'}: npx factline contracts accept ${type}`,
        );
      else terminal.out(`${type} is deprecated until ${until}, in the code and in ${lockName}.`);
      if (consumers.length === 0) terminal.out('Nobody of this app consumes it.');
      else
        terminal.out(
          `Until then have to move: ${consumers.map(({ name, owner }) => `${name} (${owner})`).join(', ')}`,
        );
    }
    return accepted ? 0 : exitCodes.failure;
  },
};

export const contractsReadiness: Command = {
  path: ['contracts', 'readiness'],
  summary: 'Show which consumers are ready for a version of an event.',
  description:
    'Of the consumers of this version and of the one before: who takes the new one, who takes both, who still waits. Exit code 0 when nobody waits, else 1.',
  arguments: [{ name: 'TYPE', help: 'The new version.', required: true }],
  options: liveOptions,
  examples: [{ line: 'factline contracts readiness shop.order.placed.v2', does: 'may v1 go?' }],
  json: [
    { name: 'type, previous', help: 'The version, and the one before (null: none).' },
    { name: 'ready', help: 'No consumer waits.' },
    {
      name: 'consumers[]',
      help: '{ consumer, class, owner, state, live, handled }; state is ready, both or waiting; live[] has one for each release that runs; handled { old, new, waiting } counts the newest events of both versions (null without --live).',
    },
  ],
  run: async (context) => {
    const { given, json, terminal } = context;
    const { subject, lock, live } = await openGateProject(context);
    const type = given.arguments[0] ?? '';
    const declared = readiness({ subject, lock, type });
    const answer = live
      ? readiness({ subject, lock, type, handled: await handledOf(context, declared) })
      : declared;
    if (json) terminal.out(JSON.stringify(answer));
    else for (const line of readinessLines(answer, context)) terminal.out(line);
    return answer.ready ? 0 : exitCodes.failure;
  },
};

/** Of the version and of the one before. */
const handledOf = (context: CommandContext, { type, previous }: Readiness): Promise<readonly HandledType[]> =>
  withDatabase(context, ({ database }) =>
    handledTypes(database.operations, previous === null ? [type] : [previous, type]),
  );

const stateTexts = {
  ready: 'takes the new version',
  both: 'takes both',
  waiting: 'takes only the old version',
} as const;

const readinessLines = (
  { type, previous, consumers }: Readiness,
  { terminal, style }: CommandContext,
): string[] => {
  if (consumers.length === 0)
    return [`No consumer of this app takes ${previous === null ? type : `${type} or ${previous}`}.`];
  const columns: readonly Column<ConsumerReadiness>[] = [
    { title: 'CONSUMER', value: ({ consumer }) => consumer, widthMin: 10 },
    { title: 'CLASS', value: (each) => each.class, dropOrder: 1 },
    { title: 'OWNER', value: ({ owner }) => owner, widthMin: 8 },
    {
      title: 'STATE',
      value: ({ state }) => stateTexts[state],
      paint: ({ state }) => (state === 'waiting' ? style.yellow : style.green),
    },
    {
      title: 'RUNNING',
      value: ({ live }) =>
        live.map(({ codeVersion, state }) => `${codeVersion} ${stateTexts[state]}`).join('; ') || '–',
      dropOrder: 2,
    },
    {
      title: 'HANDLED',
      value: ({ handled }) => (handled === null ? '–' : handledText(handled, previous)),
      dropOrder: 3,
    },
  ];
  const waiting = consumers.filter(({ state, live }) =>
    [state, ...live.map((release) => release.state)].includes('waiting'),
  ).length;
  const verdict =
    waiting === 0 ? `Everybody takes ${type}.` : `${waiting} of ${consumers.length} would not see ${type}.`;
  const runs = consumers.some(({ live }) => live.length > 0);
  const measured = consumers.some(({ handled }) => handled !== null);
  const shown = columns.filter(
    ({ title }) => (title !== 'RUNNING' || runs) && (title !== 'HANDLED' || measured),
  );
  return [...renderTable(consumers, shown, { width: terminal.width, style }), '', verdict];
};

/** Among the newest events. */
const handledText = (
  { old, new: handled, waiting }: NonNullable<ConsumerReadiness['handled']>,
  previous: string | null,
): string => {
  const count = (events: number): string => events.toLocaleString('en-US');
  const before = previous === null ? '' : `${count(old)} old, `;
  return `${before}${count(handled)} new${waiting === 0 ? '' : `; ${count(waiting)} wait`}`;
};
