import { catalogue, unknownContract } from '../../contracts/index.ts';
import { catalogueLines } from '../catalogue-view.ts';
import type { Command } from '../command.ts';
import { liveOptions, openGateProject } from '../gate-project.ts';

export const contractsCatalog: Command = {
  path: ['contracts', 'catalog'],
  summary: "Show the app's events: schema, example, owner, who publishes and who consumes.",
  arguments: [{ name: 'TYPE', help: 'Only these contracts. Default: all.', required: false, many: true }],
  options: liveOptions,
  examples: [
    { line: 'factline contracts catalog', does: 'for people' },
    { line: 'factline contracts catalog --json', does: 'for tools, with the schemas' },
    { line: 'factline contracts catalog shop.order.placed.v1', does: 'one event' },
  ],
  json: [
    { name: 'app, owner', help: 'Whose catalogue it is.' },
    { name: 'events[].type, .event, .version, .kind, .summary', help: 'Which event.' },
    {
      name: 'events[].replies[], .within, .answers[]',
      help: 'Of a command: what answers it, and the default time limit; of an event: the commands that it answers.',
    },
    { name: 'events[].owner, .producers[]', help: 'The team, and the apps that publish it.' },
    {
      name: 'events[].consumers[]',
      help: '{ name, class, owner, reads, live }; reads is null where it is not declared.',
    },
    { name: 'events[].key, .ordering, .retention, .compatibility, .highImpact, .sla', help: 'The terms.' },
    {
      name: 'events[].sensitivity, .deprecated',
      help: 'By field: personal or secret. { since, until, replacement } or null.',
    },
    {
      name: 'events[].schemas[]',
      help: '{ format, output, input }: what producers write and what consumers accept.',
    },
    { name: 'events[].example', help: 'A payload that fits, or null.' },
    { name: 'events[].changes', help: '{ from, changes, upcast } against the version before, or null.' },
    { name: 'events[].accepted', help: 'Whether the lock file holds it so; null without a lock file.' },
    { name: 'events[].gaps[]', help: 'What is missing: schema, example, owner, producer or consumer.' },
  ],
  run: async (context) => {
    const { given, terminal, style, json } = context;
    const { subject, lock } = await openGateProject(context);
    const all = await catalogue(subject, { lock });
    const wanted = given.arguments;
    const known = all.map(({ type }) => type);
    for (const type of wanted) if (!known.includes(type)) throw unknownContract(type, known);
    const events = all.filter(({ type }) => wanted.length === 0 || wanted.includes(type));
    if (json) terminal.out(JSON.stringify({ app: subject.app, owner: subject.owner ?? null, events }));
    else for (const line of catalogueLines(events, { width: terminal.width, style })) terminal.out(line);
    return undefined;
  },
};
