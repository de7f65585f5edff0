import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  eventually,
  OrderPlaced,
  placed,
  type TestBench,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { PermanentError, TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler } from './handler.ts';

const bench = useTestBench();

/** Of the database's clock, over all runs. */
let advanced = 0;

type Behaviour = 'ok' | 'permanent' | 'transient';

interface Pending {
  readonly n: number;
  behaviour: Behaviour;
  attempts: number;
  state: 'runnable' | 'retrying' | 'quarantined';
}

const attemptsMax = 2;

/** What quarantine promises, in thirty lines: each key is a line, its head decides, nothing overtakes. */
class Model {
  readonly lines = new Map<string, Pending[]>();
  readonly handled = new Map<string, number[]>();
  readonly run: number;
  readonly #events = new Map<number, Pending>();
  #count: number;

  constructor(run: number) {
    this.run = run;
    this.#count = run * 1_000;
  }

  /** Runs share one log; each has its own keys in it. */
  key(name: string): string {
    return `${this.run}${name}`;
  }

  publish(key: string, behaviour: Behaviour): number {
    const n = this.#count++;
    const event: Pending = { n, behaviour, attempts: 0, state: 'runnable' };
    this.#events.set(n, event);
    this.#line(key).push(event);
    this.#run(key);
    return n;
  }

  #line(key: string): Pending[] {
    const line = this.lines.get(key) ?? [];
    this.lines.set(key, line);
    return line;
  }

  #run(key: string): void {
    const line = this.#line(key);
    for (let head = line[0]; head?.state === 'runnable'; head = line[0]) {
      if (head.behaviour === 'ok') {
        this.handled.set(key, [...(this.handled.get(key) ?? []), head.n]);
        line.shift();
      } else {
        head.attempts += 1;
        head.state =
          head.behaviour === 'transient' && head.attempts < attemptsMax ? 'retrying' : 'quarantined';
      }
    }
  }

  heal(key: string): void {
    for (const event of this.#line(key)) event.behaviour = 'ok';
  }

  advance(): void {
    for (const [key, line] of this.lines) {
      if (line[0]?.state !== 'retrying') continue;
      line[0].state = 'runnable';
      this.#run(key);
    }
  }

  retry(key: string): void {
    const [head] = this.#line(key);
    if (head === undefined) return;
    head.state = 'runnable';
    head.attempts = 0;
    this.#run(key);
  }

  discard(key: string, index: number): void {
    this.#line(key).splice(index, 1);
    this.#run(key);
  }

  /** What the event does, also after the model has dealt with it. */
  behaviourAtLast(n: number): Behaviour {
    return this.#events.get(n)?.behaviour ?? 'ok';
  }

  /** [key, n, state] of everything that waits. */
  waiting(): [string, number, string][] {
    return [...this.lines].flatMap(([key, line]) =>
      line.map(({ n, state }, index): [string, number, string] => [key, n, index === 0 ? state : 'waiting']),
    );
  }
}

/** The real consumer, with what its handler did. */
class Real {
  readonly #bench: TestBench;
  readonly #model: Model;
  readonly handled = new Map<string, number[]>();
  process: HandlerProcess | null = null;

  constructor(testBench: TestBench, model: Model) {
    this.#bench = testBench;
    this.#model = model;
  }

  #definition(): Handler {
    return defineHandler({
      name: 'subject',
      on: [OrderPlaced],
      startAt: 'beginning',
      retry: { transient: { attempts: attemptsMax, base: '10s' } },
      handle: async ({ data: { orderId, n } }) => {
        if (Math.floor(n / 1_000) !== this.#model.run) return;
        const behaviour = this.#model.behaviourAtLast(n);
        if (behaviour === 'permanent') throw new PermanentError(`no ${n}`);
        if (behaviour === 'transient') throw new TransientError(`not yet ${n}`);
        this.handled.set(orderId, [...(this.handled.get(orderId) ?? []), n]);
      },
    });
  }

  get running(): HandlerProcess {
    if (this.process === null) throw new Error('not started');
    return this.process;
  }

  async start(): Promise<void> {
    const process = await this.#bench.launch({ definitions: [this.#definition()] });
    this.process = process;
    // A dead predecessor's lanes are free a moment later.
    await eventually(() => process.engine.running()[0]?.progress.lanes.length === 16, 'all lanes are worked');
  }

  async advance(): Promise<void> {
    advanced += 60;
    await this.running.rows(
      `create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
         as $$ select clock_timestamp() + interval '${advanced} seconds' $$`,
    );
  }

  async waiting(): Promise<[string, number, string][]> {
    const rows = await this.running.rows(
      `select e.data->>'orderId' as key, (e.data->>'n')::int as n, p.state
         from factline.parked p join factline.events e using (position)
        where (e.data->>'n')::int / 1000 = $1 order by 1, 2`,
      [this.#model.run],
    );
    return rows.map((row) => [String(row['key']), Number(row['n']), String(row['state'])]);
  }

  async idOf(n: number): Promise<unknown> {
    const [row] = await this.running.rows(
      `select p.id from factline.parked p join factline.events e using (position) where e.data->>'n' = $1`,
      [String(n)],
    );
    return row?.['id'];
  }
}

type QuarantineCommand = fc.AsyncCommand<Model, Real>;

const command = (
  text: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): QuarantineCommand => ({
  check,
  toString: () => text,
  run: async (model, real) => {
    await run(model, real);
    await real.running.settled();
    const sorted = (rows: [string, number, string][]): string[] => rows.map((row) => row.join(' ')).sort();
    expect(sorted(await real.waiting())).toEqual(sorted(model.waiting()));
    expect(Object.fromEntries(real.handled)).toEqual(Object.fromEntries(model.handled));
  },
});

const keys = ['a', 'b', 'c'];
const key = fc.constantFrom(...keys);

const commands = [
  fc
    .array(fc.tuple(key, fc.constantFrom<Behaviour>('ok', 'ok', 'permanent', 'transient')), {
      minLength: 1,
      maxLength: 6,
    })
    .map((events) =>
      command(
        `publish ${events.join(' ')}`,
        () => true,
        async (model, real) => {
          await real.running.publish(
            ...(events.map(([name, behaviour]) =>
              placed(model.key(name), model.publish(model.key(name), behaviour)),
            ) as [ReturnType<typeof placed>]),
          );
        },
      ),
    ),
  key.map((name) =>
    command(
      `heal and retry ${name}`,
      (model) => (model.lines.get(model.key(name))?.length ?? 0) > 0,
      async (model, real) => {
        const id = await real.idOf(model.lines.get(model.key(name))?.[0]?.n ?? -1);
        model.heal(model.key(name));
        model.retry(model.key(name));
        expect(await real.running.ask('subject', 'retry', { id })).toMatchObject({ state: 'done' });
      },
    ),
  ),
  key.map((name) =>
    command(
      `retry ${name}`,
      (model) => (model.lines.get(model.key(name))?.length ?? 0) > 0,
      async (model, real) => {
        const id = await real.idOf(model.lines.get(model.key(name))?.[0]?.n ?? -1);
        model.retry(model.key(name));
        await real.running.ask('subject', 'retry', { id });
      },
    ),
  ),
  fc.tuple(key, fc.nat({ max: 2 })).map(([name, index]) =>
    command(
      `discard ${name} ${index}`,
      (model) => (model.lines.get(model.key(name))?.length ?? 0) > index,
      async (model, real) => {
        const id = await real.idOf(model.lines.get(model.key(name))?.[index]?.n ?? -1);
        model.discard(model.key(name), index);
        expect(
          await real.running.ask('subject', 'discard', { id, actor: 'ada', reason: 'a test order' }),
        ).toMatchObject({ state: 'done' });
      },
    ),
  ),
  fc.constant(
    command(
      'advance',
      () => true,
      async (model, real) => {
        model.advance();
        await real.advance();
      },
    ),
  ),
  fc.constant(
    command(
      'restart',
      () => true,
      async (_model, real) => {
        await real.running.stop();
        await real.start();
      },
    ),
  ),
  fc.constant(
    command(
      'die',
      () => true,
      async (_model, real) => {
        await real.running.kill();
        await real.start();
      },
    ),
  ),
];

test('quarantine keeps the order of each key, whatever fails, is retried, discarded, restarted or killed', {
  timeout: 120_000,
}, async () => {
  let run = 1;
  const runs = Number(process.env['FACTLINE_MODEL_RUNS'] ?? 5);
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 14, size: 'max' }), async (sequence) => {
      const model = new Model(run++);
      const real = new Real(bench, model);
      await real.start();
      try {
        await fc.asyncModelRun(() => ({ model, real }), sequence);
      } finally {
        await real.running.stop();
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
});
