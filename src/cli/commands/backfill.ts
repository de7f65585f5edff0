import { existsSync } from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';
import {
  type BackfillEstimate,
  beginBackfill,
  countText,
  durationText,
  estimateBackfill,
  runBackfill,
} from '../../operations/index.ts';
import { digestPrefixMin, perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { loadApp } from '../configuration.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { wholeNumber } from '../parse.ts';
import { printable, type Style } from '../style.ts';

export const backfill: Command = {
  path: ['backfill'],
  summary: 'Enter past facts from a file, with their own times.',
  description:
    'One JSON object a line: {"type", "data", "time"}. First every line is checked against its contract, and it is shown what entering them comes to; nothing is written. With the digest that is shown then: they enter in the order of the file, marked as past facts, never faster than the rate. Read models fold them; handlers skip them unless they declare onBackfill. Interrupted, the same command goes on where it was.',
  arguments: [{ name: 'FILE', help: 'At most a million lines.', required: true }],
  options: [
    {
      name: 'digest',
      value: 'DIGEST',
      help: 'Enter exactly what was shown: at least 8 characters of its digest.',
    },
    { name: 'rate', value: 'N', help: 'Facts a second at most. Default: 200.' },
    ...personOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline backfill orders-2019.jsonl', does: 'checks it, and shows what it comes to' },
    {
      line: 'factline backfill orders-2019.jsonl --digest 3f1c9a20 --reason "history"',
      does: 'enters the facts',
    },
  ],
  json: [
    { name: 'lines, digest, bytes, types, keys', help: 'What the file holds; keys: { count, exact }.' },
    { name: 'first, last', help: 'The times of the facts. ISO 8601.' },
    { name: 'readers[]', help: '{ consumer, class, does: folds, handles, skips or unknown }' },
    { name: 'ratePerSecond, durationSeconds', help: 'How fast at most, and how long that takes.' },
    { name: 'done', help: 'Lines that are in the log; all of them at the end.' },
  ],
  run: (context) => withDatabase(context, (connected) => enterFacts(context, connected)),
};

const enterFacts = async (context: CommandContext, { database }: Connected): Promise<number> => {
  const { given, terminal, style, json, clock, signal } = context;
  const { settings } = (await loadApp(context)).internals;
  const { contracts, consumers, source } = settings;
  const file = path.resolve(terminal.directory, given.arguments[0] ?? '');
  if (!existsSync(file))
    throw new FactlineError('OPTION_INVALID', {
      option: 'FILE',
      expected: 'a file that is there',
      actual: file,
    });
  const ratePerSecond = wholeNumber(given, 'rate', { min: 1, max: 100_000, fallback: 200 });
  const request = { file, contracts, consumers, ratePerSecond, nowMs: clock.wall().getTime() };
  const estimate = await estimateBackfill(database.operations, request);
  const digest = given.text('digest');
  if (digest === undefined) {
    if (json) terminal.out(JSON.stringify(estimate));
    else
      for (const line of estimateLines(estimate, { style, file: given.arguments[0] ?? '' }))
        terminal.out(line);
    return 0;
  }
  if (digest.length < digestPrefixMin || !estimate.digest.startsWith(digest))
    throw new FactlineError('OPTION_INVALID', {
      option: '--digest',
      expected: `the digest of this file, ${estimate.digest.slice(0, 12)}: it may have changed`,
      actual: digest,
    });
  await putOnRecord(context, { database, estimate, file });
  const done = await runBackfill({
    ...request,
    database,
    clock,
    signal,
    source,
    estimate,
    onProgress: (lines) => {
      if (!json) terminal.err(`${numberText(lines)} of ${numberText(estimate.lines)}`);
    },
  });
  if (json) terminal.out(JSON.stringify({ ...estimate, done }));
  else if (done === estimate.lines)
    terminal.out(`${style.green('✓')} ${numberText(done)} facts are in the log`);
  else
    terminal.out(
      `${numberText(done)} of ${numberText(estimate.lines)} are in the log; the same command goes on there`,
    );
  return done === estimate.lines ? 0 : 6;
};

const putOnRecord = async (
  context: CommandContext,
  {
    database,
    estimate,
    file,
  }: Pick<Connected, 'database'> & { readonly estimate: BackfillEstimate; readonly file: string },
): Promise<void> => {
  const { reason } = personOf(context);
  if (reason === undefined)
    throw new FactlineError('OPTION_INVALID', {
      option: '--reason',
      expected: 'why; it stays on record',
      actual: 'nothing',
    });
  const pool = database.operations;
  const actor = await actorOf(context, pool);
  const name = path.basename(file);
  const { digest, lines, types, done } = estimate;
  const act = {
    actor,
    act: 'log.backfill',
    target: (id: number) => `backfill ${id}`,
    reason,
    details: { name, digest, lines, types, done },
  } as const;
  await perform(pool, act, (client) => beginBackfill(client, estimate, { name, actor: actor.name, reason }));
};

const numberText = (count: number): string => count.toLocaleString('en-US');

const doesText: Readonly<Record<BackfillEstimate['readers'][number]['does'], string>> = {
  folds: 'folds them, after what it has folded',
  handles: 'handles them: it declares onBackfill',
  skips: 'skips them',
  unknown: 'is code of another app, which decides',
};

const estimateLines = (
  estimate: BackfillEstimate,
  { style, file }: { readonly style: Style; readonly file: string },
): readonly string[] => {
  const { lines, done, types, keys, first, last, bytes, readers, ratePerSecond, durationSeconds, digest } =
    estimate;
  return [
    style.bold(`${countText(lines, 'past fact')}, nothing was written`),
    `  ${style.dim('types ')} ${Object.entries(types)
      .map(([type, count]) => `${type} ${numberText(count)}`)
      .join(', ')}`,
    `  ${style.dim('keys  ')} ${keys.exact ? '' : 'at least '}${numberText(keys.count)}; ${numberText(bytes)} bytes of payload`,
    `  ${style.dim('times ')} ${first} to ${last}`,
    ...readers.map(
      ({ consumer, does }) => `  ${style.dim('reader')} ${printable(consumer)} ${doesText[does]}`,
    ),
    `  ${style.dim('takes ')} about ${durationText(durationSeconds * 1_000)} at most ${ratePerSecond}/s`,
    ...(done === 0
      ? []
      : [`  ${style.dim('done  ')} ${numberText(done)} are in the log: it was interrupted`]),
    `  ${style.dim('undo  ')} none: facts stay in the log`,
    '',
    `${style.dim('next')}  ${style.cyan(`factline backfill ${file} --digest ${digest.slice(0, 12)} --reason "…"`)}`,
  ];
};
