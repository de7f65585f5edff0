import { describe, expect, test } from 'vitest';
import { FactlineError } from './errors.ts';
import { Lifecycle } from './lifecycle.ts';
import { stressLifecycle } from './lifecycle-stress.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Notices two starts at once, a stop beside a start, and work that is left after a stop. */
class Probe extends Lifecycle {
  open = 0;
  busy = 0;
  starts = 0;
  stops = 0;
  failNext = false;
  failStop = false;
  duringStart: (() => unknown) | undefined;

  constructor() {
    super('the probe');
  }

  get signal(): AbortSignal {
    return this.stopSignal;
  }

  protected override async onStart(): Promise<void> {
    await this.#alone(async () => {
      this.starts += 1;
      this.open += 1;
      this.duringStart?.();
      await turn();
      if (this.failNext) {
        this.failNext = false;
        throw new RangeError('failed half way');
      }
    });
  }

  protected override async onStop(): Promise<void> {
    await this.#alone(async () => {
      this.stops += 1;
      await turn();
      this.open = 0;
      if (this.failStop) throw new RangeError('stop failed');
    });
  }

  async #alone(work: () => Promise<void>): Promise<void> {
    this.busy += 1;
    expect(this.busy).toBe(1);
    try {
      await work();
    } finally {
      this.busy -= 1;
    }
  }
}

describe('a lifecycle', () => {
  test('survives every order of start and stop', async () => {
    await stressLifecycle({
      create: () => new Probe(),
      works: (probe) => expect([probe.state, probe.open]).toEqual(['running', 1]),
      nothingRuns: (probe) => expect([probe.state, probe.open, probe.busy]).toEqual(['idle', 0, 0]),
      rounds: 200,
    });
  });

  test('starts once, however often it is asked', async () => {
    const probe = new Probe();
    await Promise.all([probe.start(), probe.start()]);
    await probe.start();
    expect(probe.starts).toBe(1);
    await probe.stop();
  });

  test('releases what a failed start had opened, says why, and can be started again', async () => {
    const probe = new Probe();
    probe.failNext = true;
    await expect(probe.start()).rejects.toThrowError('failed half way');
    expect([probe.state, probe.open, probe.stops]).toEqual(['idle', 0, 1]);
    await probe.start();
    expect([probe.state, probe.open]).toEqual(['running', 1]);
    await probe.stop();
  });

  test('a start that stop() interrupts rejects with STOPPED, and stop() resolves when nothing is left', async () => {
    const probe = new Probe();
    const started = probe.start();
    const outcome = expect(started).rejects.toMatchObject({ code: 'STOPPED' });
    await probe.stop();
    await outcome;
    expect([probe.state, probe.open]).toEqual(['idle', 0]);
  });

  test('a start during the stop begins after it; the last word wins', async () => {
    const probe = new Probe();
    await probe.start();
    const stopping = probe.stop();
    const again = probe.start();
    await stopping;
    await again;
    expect([probe.state, probe.starts]).toEqual(['running', 2]);

    const stop = probe.stop();
    const recalled = expect(probe.start()).rejects.toMatchObject({ code: 'STOPPED' });
    await probe.stop();
    await stop;
    await recalled;
    expect([probe.state, probe.open]).toEqual(['idle', 0]);
  });

  test('is idle after a stop that failed, which reports its error', async () => {
    const probe = new Probe();
    await probe.start();
    probe.failStop = true;
    await expect(probe.stop()).rejects.toThrowError('stop failed');
    expect(probe.state).toBe('idle');
    await probe.stop();
  });

  test('aborts its signal when stop is called, and has a fresh one after the next start', async () => {
    const probe = new Probe();
    await probe.start();
    const first = probe.signal;
    const stopping = probe.stop();
    expect(first.aborted).toBe(true);
    await stopping;
    await probe.start();
    expect(probe.signal.aborted).toBe(false);
    await probe.stop();
  });

  test('may be stopped from within its own start', async () => {
    const probe = new Probe();
    let stopped: unknown;
    probe.duringStart = () => {
      stopped = probe.stop();
    };
    await expect(probe.start()).rejects.toMatchObject({ code: 'STOPPED' });
    await stopped;
    expect([probe.state, probe.open]).toEqual(['idle', 0]);
  });

  test('works with await using', async () => {
    const probe = new Probe();
    {
      await using unit = probe;
      await unit.start();
    }
    expect(probe.state).toBe('idle');
  });
});

describe('the stress test of lifecycles', () => {
  /** What a unit without the base typically does wrong. */
  const naive = () => {
    let open = 0;
    return {
      get open() {
        return open;
      },
      async start(): Promise<void> {
        await turn();
        open += 1;
      },
      async stop(): Promise<void> {
        await turn();
        open = 0;
      },
      async [Symbol.asyncDispose](): Promise<void> {
        await this.stop();
      },
    };
  };

  test('catches a unit that starts twice', async () => {
    const stress = stressLifecycle({ create: naive, works: (unit) => expect(unit.open).toBe(1) });
    await expect(stress).rejects.toThrowError();
  });

  test('catches a unit whose stop leaves something open', async () => {
    const leaky = () => Object.assign(new Probe(), { failStop: true });
    const stress = stressLifecycle({ create: leaky });
    await expect(stress).rejects.toSatisfy((error) => !FactlineError.is(error));
  });
});
