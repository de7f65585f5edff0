import { describe, expect, test } from 'vitest';
import { eventually, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { PermanentError, TransientError } from '../../foundation/index.ts';
import { defineHandler, type Handler } from '../operational/index.ts';

const bench = useTestBench();

const handlerOf = (handle: (event: { data: { orderId: string; n: number } }) => Promise<void>): Handler =>
  defineHandler({ name: 'subject', on: [OrderPlaced], handle: handle as never });

const isOpen = (process: HandlerProcess): boolean =>
  process.engine.running()[0]?.progress.reasons.some((reason) => reason.startsWith('breaker open')) === true;

const many = (count: number) => Array.from({ length: count }, (_, n) => placed(`A${n}`, n));

describe('the breaker', () => {
  // LESSONS: KIP-1316.
  test('a dead dependency drained a whole topic into the dead-letter queue within minutes (KIP-1316): here it pauses the consumer', async () => {
    let up = false;
    let calls = 0;
    const handled = new Set<string>();
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event) => {
          calls += 1;
          if (!up) throw new TransientError(`the provider does not answer for ${event.data.orderId}`);
          handled.add(event.data.orderId);
        }),
      ],
    });
    await process.publish(...many(400));
    await eventually(() => isOpen(process), 'it opens');
    await process.settled();
    const callsWhenOpened = calls;
    const parked = await process.parked();
    expect(parked.length).toBeLessThan(60);
    // One that was due again when it tripped may be at work.
    expect(parked.filter(({ state }) => state !== 'retrying' && state !== 'running')).toEqual([]);
    await eventually(
      async () => (await process.parked()).every((row) => row['attempts'] === 0),
      'attempts made before it tripped are given back',
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    // Nothing begins but the probe.
    expect(calls - callsWhenOpened).toBeLessThanOrEqual(1);
    expect(await process.rows(`select state, kind from factline.breakers`)).toEqual([
      { state: 'open', kind: 'transient' },
    ]);
    up = true;
    await process.advance(60);
    await eventually(() => !isOpen(process), 'a probe closes it');
    await eventually(async () => {
      await process.settled();
      return handled.size === 400;
    }, 'all are handled');
    expect(await process.parked()).toEqual([]);
  }, 40_000);

  test('what is at work for the second time when it opens has its first attempt again as well', async () => {
    const began = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    let tried = 0;
    const process = await bench.launch({
      definitions: [
        handlerOf(async ({ data }) => {
          if (data.orderId === 'early') {
            tried += 1;
            if (tried === 2) {
              began.resolve();
              await gate.promise;
            }
          }
          throw new TransientError('the provider does not answer');
        }),
      ],
    });
    try {
      await process.publish(placed('early', 0));
      await process.settled();
      await process.advance(10);
      await eventually(async () => {
        await process.engine.lookForDueWork();
        return tried === 2;
      }, 'its second attempt begins');
      await began.promise;
      await process.publish(...many(100));
      await eventually(() => isOpen(process), 'it opens');
    } finally {
      gate.resolve();
    }
    await process.settled();
    const early = (await process.parked()).find(({ key }) => key === 'orderId=early');
    expect(early).toMatchObject({ attempts: 0 });
  }, 40_000);

  test('a failed probe keeps it open, and counts nothing', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          throw new TransientError('down');
        }),
      ],
    });
    await process.publish(...many(100));
    await eventually(() => isOpen(process), 'it opens');
    await process.settled();
    const failures = (): number => process.told.filter(({ name }) => name === 'event.attempt-failed').length;
    for (let probe = 0; probe < 3; probe += 1) {
      const before = failures();
      await process.advance(60);
      await eventually(() => failures() > before, 'a probe was made');
    }
    expect(isOpen(process)).toBe(true);
    await eventually(
      async () => (await process.parked()).every((row) => row['attempts'] === 0),
      'the attempts of probes are given back',
    );
  }, 40_000);

  test('a bug opens it as well, and a new code version closes it', async () => {
    const broken = handlerOf(async (event) => {
      throw new TypeError(`cannot read total of ${event.data.orderId}`);
    });
    const first = await bench.launch({ definitions: [broken], codeVersion: '1' });
    await first.publish(...many(100));
    await eventually(() => isOpen(first), 'it opens');
    expect(await first.rows('select kind from factline.breakers')).toEqual([{ kind: 'bug' }]);
    await first.stop();
    const same = await bench.launch({ definitions: [broken], codeVersion: '1' });
    await eventually(() => isOpen(same), 'the same code finds it open');
    await same.stop();
    const handled = new Set<string>();
    const next = await bench.launch({
      definitions: [handlerOf(async (event) => void handled.add(event.data.orderId))],
      codeVersion: '2',
    });
    await eventually(async () => {
      await next.advance(10);
      await next.settled();
      return handled.size === 100;
    }, 'all are handled by the new code');
    expect(await next.parked()).toEqual([]);
  }, 60_000);

  test('a person closes it with resume', async () => {
    let up = false;
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          if (!up) throw new TypeError('cannot read total');
        }),
      ],
    });
    await process.publish(...many(60));
    await eventually(() => isOpen(process), 'it opens');
    up = true;
    expect(await process.ask('subject', 'resume')).toMatchObject({ state: 'done' });
    await eventually(() => !isOpen(process), 'it is closed');
    await eventually(async () => {
      await process.advance(10);
      await process.settled();
      return process.engine.handled() === 60;
    }, 'all are handled');
  }, 40_000);

  test('what a handler refuses on purpose never opens it', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          throw new PermanentError('amount is zero');
        }),
      ],
    });
    await process.publish(...many(60));
    await process.settled();
    expect(isOpen(process)).toBe(false);
    expect((await process.parked()).every((row) => row['state'] === 'quarantined')).toBe(true);
    expect(await process.parked()).toHaveLength(60);
  });

  test('one bad key in many never opens it', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event) => {
          if (event.data.n % 10 === 0) throw new Error('odd one out');
        }),
      ],
    });
    await process.publish(...many(200));
    await process.settled();
    expect(isOpen(process)).toBe(false);
    expect(await process.parked()).toHaveLength(20);
  });

  test('pauses every process of the consumer', async () => {
    let calls = 0;
    const down = handlerOf(async () => {
      calls += 1;
      throw new TransientError('down');
    });
    const one = await bench.launch({ definitions: [down] });
    const other = await bench.launch({ definitions: [down] });
    await eventually(() => (other.engine.running()[0]?.progress.lanes.length ?? 0) > 0, 'both have lanes');
    await one.publish(...many(300));
    await eventually(() => isOpen(one) && isOpen(other), 'both are paused');
    const before = calls;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(calls - before).toBeLessThanOrEqual(2);
    expect((await one.parked()).length).toBeLessThan(120);
  }, 40_000);
});
