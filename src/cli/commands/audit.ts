import type pg from 'pg';
import { exitCodes, FactlineError } from '../../foundation/index.ts';
import { type AuditRecord, listAudit, permit, verifyAudit } from '../../replay/index.ts';
import { actorOf } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { wholeNumber } from '../parse.ts';
import { printable } from '../style.ts';
import { type Column, renderTable } from '../table.ts';

const columns: readonly Column<AuditRecord>[] = [
  { title: 'ROW', value: ({ number }) => String(number), align: 'right' },
  { title: 'AT (UTC)', value: ({ at }) => at.slice(0, 19).replace('T', ' ') },
  { title: 'WHO', value: ({ actor }) => printable(actor), widthMin: 6, paint: (_row, { bold }) => bold },
  {
    title: 'ACT',
    value: ({ act, decision }) => (decision === 'denied' ? `${act} DENIED` : act),
    paint: ({ decision, act }, style) =>
      decision === 'denied' ? style.red : act === 'replay.break-glass' ? style.yellow : style.cyan,
  },
  { title: 'TARGET', value: ({ target }) => printable(target), widthMin: 10 },
  { title: 'REASON', value: ({ reason }) => printable(reason ?? ''), widthMin: 10, dropOrder: 1 },
];

const byOption = {
  name: 'by',
  value: 'NAME',
  help: 'Who asks. Default: FACTLINE_ACTOR, else the user of this machine.',
} as const;

export const auditList: Command = {
  path: ['audit', 'list'],
  summary: 'Show who did what, when and why; the latest first.',
  description:
    'Every act that changes something is put on record in the same transaction, and so is every attempt that was denied. Rows are chained by hashes; see `audit verify`.',
  options: [
    { name: 'act', value: 'NAME', help: 'Only this act (replay.approve), or all of a kind (replay).' },
    { name: 'target', value: 'TEXT', help: 'Only acts on this, as TARGET shows it: "replay 7".' },
    { name: 'actor', value: 'NAME', help: 'Only acts of this person.' },
    { name: 'denied', help: 'Only attempts that were denied.' },
    { name: 'before', value: 'ROW', help: 'Only rows before this one: the next page.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 50.' },
    byOption,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline audit list', does: 'the latest acts' },
    { line: 'factline audit list --target "replay 7"', does: 'the history of one replay' },
    { line: 'factline audit list --denied --json', does: 'what was tried and refused' },
  ],
  json: [
    {
      name: 'rows[]',
      help: '{ number, at, actor, account, via, act, decision, target, reason, details, … }',
    },
    { name: 'rows[].account', help: 'The account behind the name: user@host.' },
    { name: 'rows[].decision', help: 'done or denied.' },
    { name: 'rows[].previousHash, .hash', help: 'The chain.' },
    { name: 'next', help: 'The value of --before for the next page; null on the last.' },
  ],
  run: (context) => withDatabase(context, ({ database }) => list(context, database.operations)),
};

const list = async (context: CommandContext, pool: pg.Pool): Promise<undefined> => {
  const { given, terminal, style, json } = context;
  await permit(pool, { actor: await actorOf(context, pool), act: 'audit.read', target: 'audit' });
  const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
  const highest = Number.MAX_SAFE_INTEGER;
  const before = wholeNumber(given, 'before', { min: 1, max: highest, fallback: highest });
  const [act, target, actor] = [given.text('act'), given.text('target'), given.text('actor')];
  const found = await listAudit(pool, {
    limit: limit + 1,
    before,
    denied: given.has('denied'),
    ...(act === undefined ? {} : { act }),
    ...(target === undefined ? {} : { target }),
    ...(actor === undefined ? {} : { actor }),
  });
  const rows = found.slice(0, limit);
  const next = found.length > limit ? (rows.at(-1)?.number ?? null) : null;
  if (json) terminal.out(JSON.stringify({ rows, next }));
  else if (rows.length === 0)
    terminal.out(isFiltered(context) ? 'Nothing on record matches.' : 'Nothing is on record.');
  else {
    for (const line of renderTable(rows, columns, { width: terminal.width, style })) terminal.out(line);
    if (next !== null) terminal.out(style.dim(`more: --before ${next}`));
  }
};

const isFiltered = ({ given }: CommandContext): boolean =>
  given.has('denied') || ['act', 'target', 'actor', 'before'].some((name) => given.text(name) !== undefined);

export const auditVerify: Command = {
  path: ['audit', 'verify'],
  summary: 'Prove that no row of the record was changed, removed or inserted.',
  description:
    'Walks the chain from its beginning. Exit code 1 when it is broken, with the rows. Whoever may write every table could forge the whole chain anew: note its head (row:hash, printed here) where they cannot write, and give it with --noted.',
  options: [
    { name: 'noted', value: 'ROW:HASH', help: 'A head that was noted earlier: its row must still be there.' },
    byOption,
    ...databaseOptions,
  ],
  examples: [{ line: 'factline audit verify', does: 'the whole record; in a nightly job, too' }],
  json: [
    { name: 'intact', help: 'Whether nothing is wrong.' },
    { name: 'rows', help: 'How many were looked at.' },
    { name: 'head', help: '{ number, hash }: the end of the chain.' },
    { name: 'problems[]', help: '{ number, problem, text }; at most 100.' },
    { name: 'problems[].problem', help: 'changed, unchained, missing, added, head or noted.' },
  ],
  run: (context) => withDatabase(context, ({ database }) => verify(context, database.operations)),
};

const verify = async (context: CommandContext, pool: pg.Pool): Promise<number> => {
  const { terminal, style, json } = context;
  await permit(pool, { actor: await actorOf(context, pool), act: 'audit.read', target: 'audit' });
  const verified = await verifyAudit(pool, notedOf(context.given.text('noted')));
  const { intact, rows, head, problems } = verified;
  if (json) terminal.out(JSON.stringify(verified));
  else if (intact) {
    terminal.out(`${style.green('✓')} ${rows} rows, each chained to the one before`);
    terminal.out(style.dim(`  head ${head.number}:${head.hash}`));
  } else for (const { text } of problems) terminal.out(`${style.red('✗')} ${text}`);
  return intact ? 0 : exitCodes.failure;
};

const notedOf = (text: string | undefined): { number: number; hash: string } | undefined => {
  if (text === undefined) return undefined;
  const [, number, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number !== undefined && hash !== undefined) return { number: Number(number), hash };
  const expected = 'ROW:HASH, as `audit verify` prints it';
  throw new FactlineError('OPTION_INVALID', { option: '--noted', expected, actual: text });
};
