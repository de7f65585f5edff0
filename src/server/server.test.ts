import { afterEach, describe, expect, it } from 'vitest';
import { createTelemetry, stressLifecycle } from '../foundation/index.ts';
import type { Meter, Verdict, VerdictName } from '../operations/index.ts';
import { createServer, type FactlineServer, type readinessOf } from './server.ts';

const verdict = (name: VerdictName, extra: Partial<Verdict> = {}): Verdict =>
  ({
    consumer: 'orders',
    class: 'operational',
    verdict: name,
    reasons: name === 'OK' ? [] : [{ code: 'no-progress', text: 'nothing was handled for 2 min' }],
    lagSeconds: name === 'UNKNOWN' ? null : 1.5,
    handledWithinSeconds: 60,
    unhandled: 3,
    retrying: 1,
    waiting: 2,
    quarantined: { keys: 1, events: 1, waiting: 0, oldestSeconds: 9 },
    timeToDrainSeconds: null,
    breaker: null,
    paused: null,
    pausedParts: [],
    held: 0,
    budget: null,
    burn: null,
    build: 1,
    state: 'live',
    ...extra,
  }) as Verdict;

const meterOf = (verdicts: () => readonly Verdict[]): Meter => ({
  failure: null,
  verdicts: async () => verdicts(),
});
const open: FactlineServer[] = [];
const serve = async (verdicts: () => readonly Verdict[], port = 0): Promise<FactlineServer> => {
  const server = createServer({
    meter: meterOf(verdicts),
    telemetry: createTelemetry(),
    port,
    host: '127.0.0.1',
  });
  open.push(server);
  await server.start();
  return server;
};
const get = (server: FactlineServer, path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.port}${path}`);

afterEach(async () => {
  for (const server of open.splice(0)) await server.stop();
});

describe('the server', () => {
  it('is live whatever the consumers do', async () => {
    const server = await serve(() => [verdict('STALLED')]);
    const answer = await get(server, '/health/live');
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'live' }]);
  });

  it.each([
    ['OK', 200],
    ['LATE', 200],
    ['PAUSED', 200],
    ['STALLED', 503],
    ['UNKNOWN', 503],
  ] as const)('answers readiness with a consumer that is %s by %i, with reasons', async (name, status) => {
    const server = await serve(() => [verdict('OK', { consumer: 'fine' }), verdict(name)]);
    const answer = await get(server, '/health/ready');
    expect(answer.status).toBe(status);
    const body = (await answer.json()) as ReturnType<typeof readinessOf>;
    expect(body.status).toBe(status === 200 ? 'ready' : 'not ready');
    expect(body.consumers[1]).toMatchObject({ consumer: 'orders', verdict: name });
    if (name !== 'OK') expect(body.consumers[1]?.reasons[0]?.text).toBe('nothing was handled for 2 min');
  });

  it('does not fail readiness for a build that nobody reads yet', async () => {
    const server = await serve(() => [verdict('STALLED', { state: 'building', build: 2 })]);
    expect((await get(server, '/health/ready')).status).toBe(200);
  });

  it('gives metrics, and no series for what was not measured', async () => {
    let now = [verdict('LATE')];
    const server = await serve(() => now);
    const answer = await get(server, '/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('factline_consumer_verdict{consumer="orders",verdict="LATE"} 1');
    expect(text).not.toContain('verdict="OK"');
    expect(text).toContain('factline_lag_seconds{consumer="orders"} 1.5');
    expect(text).toContain('factline_parked{consumer="orders",state="waiting"} 2');
    expect(text).toContain('factline_measurement_up 1');
    expect(text).not.toContain('factline_time_to_drain_seconds{');
    now = [verdict('UNKNOWN', { unhandled: null, quarantined: null, retrying: null, waiting: null })];
    const unknown = await (await get(server, '/metrics')).text();
    expect(unknown).not.toContain('factline_lag_seconds{');
    expect(unknown).toContain('factline_measurement_up 0');
    now = [];
    expect(await (await get(server, '/metrics')).text()).not.toContain('orders');
  });

  it('refuses a taken port with a next step', async () => {
    const first = await serve(() => []);
    await expect(serve(() => [], first.port)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });

  it('starts and stops like everything else', async () => {
    await stressLifecycle({
      create: () =>
        createServer({ meter: meterOf(() => []), telemetry: createTelemetry(), port: 0, host: '127.0.0.1' }),
      nothingRuns: (server) => expect(server.port).toBe(0),
      works: async (server) => expect((await get(server, '/health/live')).status).toBe(200),
    });
  });
});
