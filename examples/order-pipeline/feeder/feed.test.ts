import { Hono } from 'hono';
import { afterEach, expect, it } from 'vitest';
import { type RunningApi, serveApi } from '../api/serve-api.ts';
import { samplePath } from '../test/data.ts';
import { feed, newProgress } from './feed.ts';
import { paceOf } from './pace.ts';

interface Posted {
  readonly path: string;
  readonly key: string;
  readonly customerId: string;
}

let running: RunningApi | undefined;
let inFlight = 0;
let mostInFlight = 0;
afterEach(() => running?.stop());

/** An API that notes what is posted, takes its time, and answers as it is told. */
async function fakeApi(answer: (posted: Posted, count: number) => Response): Promise<Posted[]> {
  const posts: Posted[] = [];
  const api = new Hono().post('*', async (context) => {
    const { customerId = 'guest' } = await context.req.json<{ customerId?: string }>();
    const posted = { path: context.req.path, key: context.req.header('Idempotency-Key') ?? '', customerId };
    posts.push(posted);
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    inFlight -= 1;
    return answer(posted, posts.length);
  });
  running = await serveApi(api, null);
  return posts;
}

const created = (): Response => Response.json({}, { status: 201 });

function run(
  signal: AbortSignal = new AbortController().signal,
  limit = 60,
): Promise<ReturnType<typeof newProgress>> {
  const progress = newProgress();
  const options = { path: samplePath, apiUrl: running?.url ?? '', rate: 'max', limit, signal } as const;
  return feed(options, progress).then(() => progress);
}

it('posts the invoices of one customer one after the other, and of several side by side', async () => {
  const posts = await fakeApi(() => created());
  const progress = await run();
  for (const [customerId, own] of Map.groupBy(posts, (posted) => posted.customerId)) {
    if (customerId === 'guest') continue;
    const numbers = own.map(({ key }) => Number(key.replace(/\D/g, '')));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
  expect(mostInFlight).toBeGreaterThan(3);
  expect(progress).toMatchObject({ finished: true, accepted: 60, input: { invoices: 60 } });
  expect(new Set(posts.map(({ path }) => path))).toEqual(new Set(['/orders', '/cancellations']));
});

it('tries again under the same key when the API breaks, and counts what it refuses by reason', async () => {
  const broken = new Set<string>();
  const posts = await fakeApi(({ key, path }) => {
    if (path === '/cancellations') {
      const type = 'urn:order-pipeline:problem:cancellation-matches-no-order';
      return Response.json({ type }, { status: 422 });
    }
    if (key !== 'feed-536370' || broken.has(key)) return created();
    broken.add(key);
    return Response.json({ detail: 'down' }, { status: 503 });
  });
  const progress = await run(undefined, 30);
  expect(posts.filter(({ key }) => key === 'feed-536370')).toHaveLength(2);
  expect(progress.refused).toEqual(
    new Map([['cancellation-matches-no-order', progress.input.cancellations]]),
  );
  expect(progress.input.cancellations).toBeGreaterThan(0);
  expect(progress.ordersAccepted).toBe(30 - progress.input.cancellations);
});

it('stops when it is told to, having posted a prefix of the file', async () => {
  const controller = new AbortController();
  const posts = await fakeApi((_posted, count) => {
    if (count >= 10) controller.abort();
    return created();
  });
  const { input, finished } = await run(controller.signal);
  expect(finished).toBe(true);
  expect(input.invoices).toBe(posts.length);
  expect(input.invoices).toBeLessThan(60);
});

it('compresses the real gaps', async () => {
  const pace = await paceOf({ withinSeconds: 120 }, samplePath, Number.POSITIVE_INFINITY);
  const at = (placedAt: string): number => pace({ placedAt } as Parameters<typeof pace>[0], 0);
  expect([at('2010-12-01T08:26:00Z'), at('2010-12-01T17:06:00Z')]).toEqual([0, 120_000]);
  expect(at('2010-12-01T12:46:00Z')).toBe(60_000);
});
