/** What a client sent with an `Idempotency-Key`; the digest tells whether a repeat is the same request. */
export interface RequestKey {
  readonly key: string;
  readonly digest: string;
}

/** An answer as it is stored and given again to a repeat. */
export interface StoredAnswer {
  readonly status: number;
  readonly body: unknown;
}

interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** The key was used for another request. */
export class IdempotencyKeyReused extends Error {
  override readonly name = 'IdempotencyKeyReused';
}

/** The answer that this key got before, or null when it is new. Waits for a request in flight under the same key. */
export async function earlierAnswer(on: Queryable, request: RequestKey): Promise<StoredAnswer | null> {
  const { rows } = await on.query('select digest, status, body from orders.requests where key = $1', [
    request.key,
  ]);
  const [found] = rows as Array<{ digest: string; status: number; body: unknown }>;
  if (found === undefined) return null;
  if (found.digest !== request.digest) throw new IdempotencyKeyReused(request.key);
  return { status: found.status, body: found.body };
}
