import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ContractSet, defineEvent } from '../../contracts/index.ts';
import { uuidv8 } from '../../foundation/index.ts';
import type { LogCursor, StoredEvent, Tail } from '../../log/index.ts';
import { ReplyReader } from './reply-reader.ts';

const schema = z.object({ orderId: z.string() });
const Charged = defineEvent({ type: 'payments.card.charged.v1', key: 'orderId', schema });
const Declined = defineEvent({ type: 'payments.card.declined.v1', key: 'orderId', schema });
const replies = new ContractSet([Charged, Declined]);

/** A tail that answers what the test gives it; the filter of a cursor is looked at when an event comes, as the real one does. */
class FakeTail {
  settled = 10;
  readonly cursors: { readonly after: number; ended: boolean }[] = [];
  #give: ((batch: StoredEvent[]) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  cursor({ types, after }: Parameters<Tail['cursor']>[0]): LogCursor {
    const state = { after, ended: false };
    this.cursors.push(state);
    let position = after;
    return {
      get position() {
        return position;
      },
      seek: () => undefined,
      next: ({ signal }) =>
        new Promise((resolve, reject) => {
          this.#give = (batch) => {
            position = batch.at(-1)?.position ?? position;
            resolve({
              events: batch.filter(({ type }) => types === 'all' || types.has(type)),
              upTo: position,
            });
          };
          this.#fail = reject;
          signal?.addEventListener('abort', () => {
            state.ended = true;
            resolve({ events: [], upTo: position });
          });
        }),
    };
  }

  async give(...events: StoredEvent[]): Promise<void> {
    this.#give?.(events);
    await new Promise(setImmediate);
  }

  async fail(error: Error): Promise<void> {
    this.#fail?.(error);
    await new Promise(setImmediate);
  }
}

let position = 100;
const event = (causationId: string, more: Partial<StoredEvent> = {}): StoredEvent => ({
  position: ++position,
  id: uuidv8([1, causationId, position]),
  type: Charged.type,
  source: 'payments',
  key: 'orderId=A1',
  keyHash: 1,
  data: '{"orderId":"A1"}',
  meta: JSON.stringify({ subject: 'A1', correlationId: causationId, causationId }),
  time: '2026-01-01T00:00:00.000Z',
  recordedAt: '2026-01-01T00:00:00.000Z',
  ...more,
});

const open = (): { tail: FakeTail; reader: ReplyReader } => {
  const tail = new FakeTail();
  return { tail, reader: new ReplyReader(tail as unknown as Tail) };
};
const state = (promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise, Promise.resolve('waiting')]);

describe('the reader of replies', () => {
  test('gives each requester what its command caused', async () => {
    const { tail, reader } = open();
    const [first, second] = [reader.wait('c1', replies), reader.wait('c2', replies)];
    await tail.give(event('c2', { type: Declined.type }), event('c1'));
    expect(await first).toMatchObject({ type: Charged.type, causationId: 'c1', data: { orderId: 'A1' } });
    expect(await second).toMatchObject({ type: Declined.type, causationId: 'c2' });
    expect(tail.cursors).toHaveLength(1);
  });

  test.each([
    ['of another cause', event('other')],
    ['without a cause', event('c1', { meta: '{"subject":"A1","correlationId":"c1"}' })],
    ['of an undeclared type', event('c1', { type: 'payments.card.blocked.v1' })],
    [
      "published beside the handler's transaction, which may have been rolled back",
      event('c1', { id: '0198c0de-7b1e-7a2b-9c3d-4e5f60718293' }),
    ],
  ])('takes no event %s for a reply', async (_what, wrong) => {
    const { tail, reader } = open();
    const reply = reader.wait('c1', replies);
    await tail.give(wrong);
    expect(await state(reply)).toBe('waiting');
    const right = event('c1');
    await tail.give(right, event('c1'));
    expect(await reply).toMatchObject({ id: right.id });
  });

  test('begins at what is settled before the command can be written, so no reply is too early', () => {
    const { tail, reader } = open();
    reader.wait('c1', replies);
    expect(tail.cursors).toEqual([{ after: 10, ended: false }]);
  });

  test('reads only while somebody waits, and goes on at what is settled then', async () => {
    const { tail, reader } = open();
    reader.wait('c1', replies);
    reader.wait('c2', replies);
    reader.forget('c1');
    expect(tail.cursors[0]?.ended).toBe(false);
    await tail.give(event('c2'));
    expect(tail.cursors[0]?.ended).toBe(true);
    tail.settled = 500;
    const reply = reader.wait('c3', replies);
    await tail.give(event('c3'));
    expect(await reply).toMatchObject({ causationId: 'c3' });
    expect(tail.cursors.map(({ after }) => after)).toEqual([10, 500]);
  });

  test('learns the replies of another command while it reads', async () => {
    const { tail, reader } = open();
    reader.wait('c1', new ContractSet([Charged]));
    const reply = reader.wait('c2', new ContractSet([Declined]));
    await tail.give(event('c2', { type: Declined.type }));
    expect(await reply).toMatchObject({ type: Declined.type });
  });

  test('tells the requester when the reply does not fit its contract', async () => {
    const { tail, reader } = open();
    const reply = reader.wait('c1', replies);
    await tail.give(event('c1', { data: '{}' }));
    await expect(reply).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  test('tells everybody when the log cannot be read any more', async () => {
    const { tail, reader } = open();
    const waiting = [reader.wait('c1', replies), reader.wait('c2', replies)];
    await tail.fail(new RangeError('gone'));
    for (const reply of waiting) await expect(reply).rejects.toThrow('gone');
  });
});
