import { createTelemetry, FactlineError } from '../../foundation/index.ts';
import { createTail, type StoredEvent, type Tail } from '../../log/index.ts';
import { findEvent, findLinks, type LoggedEvent, lastEvents } from '../../operations/index.ts';
import { perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext, CommandOption } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { maskedEvents } from '../event-masking.ts';
import { deliveryLines, eventDetailLines, eventLine, linkLines } from '../event-view.ts';
import { wholeNumber } from '../parse.ts';

const hiddenText =
  'Fields that a contract calls personal or secret are hidden, and the whole payload where no app has declared the contract.';

const revealOptions: readonly CommandOption[] = [
  { name: 'reveal', help: 'Show what is hidden as well. Needs a role that may, and stays on record.' },
  ...personOptions,
];

/**
 * What makes events fit to be shown; with --reveal nothing is hidden, on record, from those who may.
 * @throws FactlineError FORBIDDEN
 */
const screenFor = async (
  context: CommandContext,
  { database, app }: Connected,
  target: string,
): Promise<Screen> => {
  const on = database.operations;
  if (!context.given.has('reveal')) return (events) => maskedEvents(on, app, events);
  const { reason } = personOf(context);
  await perform(
    on,
    { actor: await actorOf(context, on), act: 'events.reveal', target, reason },
    async () => undefined,
  );
  return async (events) => events;
};

type Screen = (events: readonly LoggedEvent[]) => Promise<readonly LoggedEvent[]>;

export const eventsTail: Command = {
  path: ['events', 'tail'],
  summary: 'Show the latest events, and follow the log.',
  description:
    'Shows the latest events in order. It reads like every consumer: an event is shown only when nothing can appear before it any more, so none is skipped. ' +
    hiddenText,
  options: [
    { name: 'follow', short: 'f', help: 'Go on with new events until Ctrl-C.' },
    { name: 'last', short: 'n', value: 'N', help: 'How many to begin with. Default: 20.' },
    { name: 'type', value: 'TYPE', help: 'Only this type; several separated by commas.' },
    { name: 'key', value: 'KEY', help: 'Only this key, as it is shown: orderId=A1.' },
    ...revealOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline events tail -f', does: 'everything, as it happens' },
    {
      line: 'factline events tail --key orderId=A1',
      does: 'the history of one order (of the last 200,000 events)',
    },
    { line: 'factline events tail -f --json | jq .type', does: 'one JSON document per line' },
  ],
  json: [
    { name: '(one document per line)', help: 'One event each:' },
    { name: 'position, id, type, source, key', help: 'Position is a safe integer.' },
    {
      name: 'data, meta',
      help: 'The payload, without what is hidden; correlation, causation and trace.',
    },
    { name: 'time, recordedAt', help: 'When it happened; when it was written. ISO 8601.' },
  ],
  run: (context) => withDatabase(context, (connected) => tailEvents(context, connected)),
};

const settleMs = 3_000;

const tailEvents = async (context: CommandContext, connected: Connected): Promise<undefined> => {
  const { given, clock, signal, terminal } = context;
  const { database } = connected;
  const limit = wholeNumber(given, 'last', { min: 0, max: 10_000, fallback: 20 });
  const types =
    given
      .text('type')
      ?.split(',')
      .map((type) => type.trim()) ?? null;
  const key = given.text('key') ?? null;
  const screen = await screenFor(context, connected, 'events');
  const tail = createTail({ database, clock, telemetry: createTelemetry() });
  await tail.start();
  try {
    const upTo = await settledNow(context, tail);
    const shown = limit === 0 ? [] : await lastEvents(database.operations, { upTo, types, key, limit });
    for (const event of await screen(shown)) show(context, event);
    if (!given.has('follow')) {
      if (shown.length === 0)
        terminal.err(upTo === 0 ? 'The log is empty.' : 'No event matches among the last 200,000.');
      return undefined;
    }
    const cursor = tail.cursor({ types: types === null ? 'all' : new Set(types), after: upTo });
    while (!signal.aborted) {
      const { events } = await cursor.next({ max: 500, signal });
      const wanted = events.filter((event) => key === null || event.key === key).map(parsed);
      for (const event of await screen(wanted)) show(context, event);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await tail.stop();
  }
  return undefined;
};

/** Up to where everything is decided at this moment; says who holds the rest up. */
const settledNow = async ({ terminal, signal }: CommandContext, tail: Tail): Promise<number> => {
  const barrier = await tail.barrier();
  try {
    await tail.whenSettled(barrier, { withinMs: settleMs, signal });
    return barrier;
  } catch (error) {
    if (!FactlineError.is(error, 'WAIT_TIMED_OUT')) throw error;
    const blocked = tail.blocked();
    const who = blocked?.pid
      ? ` process ${blocked.pid} (${blocked.query ?? 'query hidden'})`
      : ' an open transaction';
    terminal.err(`Events after position ${tail.settled} are held up by${who}.`);
    return tail.settled;
  }
};

const parsed = (event: StoredEvent): LoggedEvent => ({
  position: event.position,
  id: event.id,
  type: event.type,
  source: event.source,
  key: event.key,
  data: JSON.parse(event.data),
  meta: JSON.parse(event.meta),
  time: event.time,
  recordedAt: event.recordedAt,
});

const show = ({ terminal, style, json }: CommandContext, event: LoggedEvent): void => {
  terminal.out(json ? JSON.stringify(event) : eventLine(event, { width: terminal.width, style }));
};

export const eventsShow: Command = {
  path: ['events', 'show'],
  summary: 'Show one event, what each consumer has done with it, and what came of it.',
  description: `Shows the event, what it was caused by and has led to (of a command: its reply), and what each consumer has done with it. ${hiddenText}`,
  arguments: [{ name: 'EVENT', help: 'Its position or id.', required: true }],
  options: [...revealOptions, ...databaseOptions],
  examples: [
    { line: 'factline events show 4711', does: 'by position' },
    {
      line: 'factline events show 0198c0de-7b1e-7a2b-9c3d-4e5f60718293',
      does: 'by id; searches the log from its end',
    },
  ],
  json: [
    { name: 'event', help: 'As in `events tail`.' },
    {
      name: 'cause',
      help: 'What was handled when it was published: { position, id, type, source, recordedAt } or null.',
    },
    { name: 'ledTo[]', help: 'What was published while it was handled, a reply among it: as cause.' },
    { name: 'deliveries[]', help: '{ consumer, class, build, read, state, parkedId, reason }' },
    {
      name: 'deliveries[].state',
      help: 'handled, pending, before its start, running, retrying, waiting or quarantined.',
    },
  ],
  run: (context) =>
    withDatabase(context, async (connected) => {
      const { given, terminal, style, json } = context;
      const { event: stored, deliveries } = await findEvent(
        connected.database.operations,
        given.arguments[0] ?? '',
      );
      const screen = await screenFor(context, connected, `event at position ${stored.position}`);
      const [event = stored] = await screen([stored]);
      const links = await findLinks(connected.database.operations, stored);
      if (json) terminal.out(JSON.stringify({ event, ...links, deliveries }));
      else {
        const view = { width: terminal.width, style };
        for (const line of [
          ...eventDetailLines(event, view),
          '',
          ...linkLines(links, view),
          ...deliveryLines(deliveries, view),
        ])
          terminal.out(line);
      }
      return undefined;
    }),
};
