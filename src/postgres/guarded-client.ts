import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import type { LazyBegin } from './lazy-begin.ts';

/** A pooled pg client inside a transaction of Factline: everything but ending, nesting or giving back the transaction. */
export type GuardedClient = pg.PoolClient;

const refusedWords = new Set([
  'BEGIN',
  'START',
  'COMMIT',
  'END',
  'ROLLBACK',
  'ABORT',
  'SAVEPOINT',
  'RELEASE',
  'PREPARE',
]);
const refusedMembers = new Set(['release', 'end', 'connect', 'beginTransaction']);

/** What stands before the first word: white space, semicolons, line comments, (nested) block comments. */
const skipToStatement = (text: string): string => {
  let at = 0;
  while (at < text.length) {
    if (/[\s;]/.test(text[at] ?? '')) at += 1;
    else if (text.startsWith('--', at)) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    } else if (text.startsWith('/*', at)) at = endOfBlockComment(text, at);
    else break;
  }
  return text.slice(at);
};

const endOfBlockComment = (text: string, start: number): number => {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    if (text.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (text.startsWith('*/', at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
};

/** The refused keyword a statement begins with, or null. `PREPARE name AS …` is allowed, `PREPARE TRANSACTION` is not. */
export const refusedStatement = (text: string): string | null => {
  const statement = skipToStatement(text);
  const words = statement.match(/^([a-z]+)(?:\s+([a-z]+))?/i);
  const first = words?.[1]?.toUpperCase() ?? '';
  if (!refusedWords.has(first)) return null;
  const second =
    skipToStatement(statement.slice(first.length))
      .match(/^[a-z]+/i)?.[0]
      ?.toUpperCase() ?? '';
  if (first === 'PREPARE') return second === 'TRANSACTION' ? 'PREPARE TRANSACTION' : null;
  return first;
};

const textOf = (request: unknown): string | undefined => {
  if (typeof request === 'string') return request;
  const { text, cursor } = (request ?? {}) as { text?: unknown; cursor?: { text?: unknown } };
  if (typeof text === 'string') return text;
  return typeof cursor?.text === 'string' ? cursor.text : undefined;
};

/** Strings go by the extended protocol, where the server itself refuses several statements in one text. */
const extended = (request: unknown): unknown => {
  if (typeof request === 'string') return { text: request, queryMode: 'extended' };
  const object = request as { submit?: unknown };
  if (typeof object?.submit === 'function') return request;
  return { queryMode: 'extended', ...(request as object) };
};

/** Marks a query object as the transaction's own: savepoints of `tx.savepoint` pass the guard. Not exported from the package. */
export const ownStatement: unique symbol = Symbol('factline.own-statement');

const refuse = (statement: string): never => {
  throw new FactlineError('TRANSACTION_STATEMENT_REFUSED', { statement });
};

export interface Guard {
  readonly client: GuardedClient;
  /** From now on every use throws TRANSACTION_CLOSED. */
  close(): void;
}

/**
 * Wraps the client of a transaction. Statements that begin, end or nest a transaction throw, also behind comments, in query
 * objects and in Submittables such as pg-cursor; an ORM's own `transaction()` on it would commit the outer work.
 */
export const guardClient = (client: pg.PoolClient, begin: LazyBegin): Guard => {
  let closed = false;
  const query = (request: unknown, ...rest: unknown[]): unknown => {
    if (closed) throw new FactlineError('TRANSACTION_CLOSED', { operation: 'a query on tx.client' });
    const text = textOf(request);
    if ((request as { [ownStatement]?: true })?.[ownStatement])
      return begin.query({ text: text ?? '', queryMode: 'extended' }, []);
    const statement = text === undefined ? null : refusedStatement(text);
    if (statement !== null) return refuse(statement);
    const [values, ...others] = rest;
    if (values === undefined || typeof values === 'function') {
      return begin.query(extended(request), values === undefined ? others : rest);
    }
    if (typeof request === 'string')
      return begin.query({ text: request, values, queryMode: 'extended' }, others);
    return begin.query(extended(request), rest);
  };
  const guarded = new Proxy(client, {
    get: (target, name) => {
      if (name === 'query') return query;
      if (typeof name === 'string' && refusedMembers.has(name)) return () => refuse(`client.${name}()`);
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    client: guarded as GuardedClient,
    close: () => {
      closed = true;
    },
  };
};
