import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  forgetHolders,
  lookAtHolders,
  lowestHolder,
  type Settling,
  settleDeadEnd,
  settlingFrom,
  walk,
} from './settling.ts';

describe('walk', () => {
  test('delivers what follows without a hole', () => {
    const step = walk(settlingFrom(0), [1, 2, 3], true);
    expect(step).toMatchObject({ passed: 3, gap: null, deadEnd: 3, state: { settled: 3 } });
  });

  test('stops before a hole that nobody has proven dead, also when it comes first', () => {
    expect(walk(settlingFrom(0), [1, 3], true)).toMatchObject({ passed: 1, gap: 2, state: { settled: 1 } });
    expect(walk(settlingFrom(4), [6], true)).toMatchObject({ passed: 0, gap: 5, state: { settled: 4 } });
  });

  test('passes a hole below the dead bound, and stands in the middle of one that is half dead', () => {
    const state: Settling = { ...settlingFrom(0), dead: 5 };
    expect(walk(state, [1, 6], true)).toMatchObject({ passed: 2, gap: null, deadEnd: 6 });
    expect(walk(state, [1, 9], true)).toMatchObject({ passed: 1, gap: 6, state: { settled: 5 } });
  });

  test('offers the dead end only when the rows are exhausted', () => {
    const state: Settling = { ...settlingFrom(0), dead: 9 };
    expect(walk(state, [1, 2], true)).toMatchObject({ deadEnd: 9, state: { settled: 2 } });
    expect(walk(state, [1, 2], false)).toMatchObject({ deadEnd: 2, state: { settled: 2 } });
    expect(settleDeadEnd(walk(state, [1, 2], true).state, 9).settled).toBe(9);
  });
});

describe('lookAtHolders', () => {
  test('without holders everything given before the look is decided', () => {
    expect(lookAtHolders(settlingFrom(0), 10, []).dead).toBe(10);
  });

  test('a holder of the first look pins the mark; one that came later pins only what was given after it was absent', () => {
    const first = lookAtHolders(settlingFrom(3), 10, ['a']);
    expect(first.dead).toBe(3);
    const second = lookAtHolders(first, 20, ['b']);
    expect(second.dead).toBe(10);
    expect(lowestHolder(second)).toEqual({ virtualTransaction: 'b', floor: 10 });
    expect(lookAtHolders(second, 30, []).dead).toBe(30);
  });

  test('after a reconnect a holder is unknown again and pins everything', () => {
    const before = lookAtHolders(lookAtHolders(settlingFrom(0), 10, []), 20, ['a']);
    expect(before.dead).toBe(10);
    const after = lookAtHolders(forgetHolders(before), 30, ['a']);
    expect(after).toMatchObject({ dead: 10, floors: new Map([['a', 0]]) });
  });
});

test('holes are not remembered: lists of them grew until replay collapsed (AxonFramework#2231)', () => {
  let state = settlingFrom(0);
  for (let position = 2; position <= 20_000; position += 2) {
    const looked = lookAtHolders(state, position, [`writer of ${position + 1}`]);
    state = walk(looked, [position], true).state;
  }
  expect(state.settled).toBeGreaterThan(19_990);
  expect(state.floors.size).toBe(1);
  expect(Object.values(state).filter((value) => typeof value !== 'number')).toEqual([state.floors]);
});

/*
 * A model of what PostgreSQL does, in atomic steps in any order: locks before the number, visible before the locks go.
 */
interface Transaction {
  readonly name: string;
  readonly positions: number[];
  locked: boolean;
  ended: 'no' | 'committed' | 'rolled back';
}

class Server {
  readonly visible = new Set<number>();
  readonly transactions: Transaction[] = [];
  head = 0;

  begin(): void {
    this.transactions.push({
      name: `t${this.transactions.length}`,
      positions: [],
      locked: false,
      ended: 'no',
    });
  }
  /** One atomic step of one open transaction. */
  step(which: number, what: number): void {
    const open = this.transactions.filter((each) => each.ended === 'no' || each.locked);
    const transaction = open[which % Math.max(open.length, 1)];
    if (transaction === undefined) return;
    if (transaction.ended !== 'no') transaction.locked = false;
    else if (!transaction.locked) transaction.locked = true;
    else if (what < 5) transaction.positions.push(++this.head);
    else this.end(transaction, what < 8 ? 'committed' : 'rolled back');
  }
  end(transaction: Transaction, how: 'committed' | 'rolled back'): void {
    transaction.ended = how;
    if (how === 'committed') for (const position of transaction.positions) this.visible.add(position);
  }
  holders(): string[] {
    return this.transactions.filter((each) => each.locked).map((each) => each.name);
  }
  rows(after: number, limit: number): number[] {
    return [...this.visible]
      .sort((a, b) => a - b)
      .filter((position) => position > after)
      .slice(0, limit);
  }
}

type Order = 'sound' | 'holders before head' | 'rows used again';

/** One reader, one atomic step per call, in the order of SafeReader.pass or in a wrong one. */
class Reader {
  readonly delivered: number[] = [];
  state: Settling = settlingFrom(0);
  readonly #server: Server;
  readonly #order: Order;
  readonly #limit: number;
  #phase = 0;
  #head = 0;
  #rows: number[] = [];
  #holders: string[] = [];

  constructor(server: Server, order: Order, limit: number) {
    this.#server = server;
    this.#order = order;
    this.#limit = limit;
  }

  step(): void {
    const steps: Record<Order, readonly (() => void)[]> = {
      sound: [() => this.#read(), () => this.#deliver(), () => this.#look(), () => this.#prove()],
      'holders before head': [
        () => this.#look(),
        () => this.#read(),
        () => this.#deliver(),
        () => this.#prove(),
      ],
      'rows used again': [() => this.#read(), () => this.#look(), () => this.#prove(), () => this.#deliver()],
    };
    const order = steps[this.#order];
    order[this.#phase % order.length]?.();
    this.#phase += 1;
  }
  #read(): void {
    this.#rows = this.#server.rows(this.state.settled, this.#limit);
    this.#head = this.#server.head;
  }
  #deliver(): void {
    const before = this.state;
    const { state, passed, deadEnd } = walk(before, this.#rows, this.#rows.length < this.#limit);
    this.delivered.push(...this.#rows.slice(0, passed));
    this.state = settleDeadEnd(state, deadEnd);
  }
  #look(): void {
    this.#holders = this.#server.holders();
  }
  #prove(): void {
    this.state = lookAtHolders(this.state, this.#head, this.#holders);
  }
}

type Act = { readonly who: 'begin' | 'writer' | 'reader'; readonly which: number; readonly what: number };

const acts = fc.array(
  fc.record({
    who: fc.constantFrom<Act['who']>('begin', 'writer', 'writer', 'writer', 'reader', 'reader'),
    which: fc.nat(3),
    what: fc.nat(9),
  }),
  { minLength: 20, maxLength: 150 },
);

/** Plays the acts, lets everybody finish and the reader catch up; what was delivered must be what was committed. */
const play = (
  schedule: readonly Act[],
  order: Order,
  limit: number,
): { delivered: number[]; committed: number[]; reader: Reader; server: Server } => {
  const server = new Server();
  const reader = new Reader(server, order, limit);
  for (const act of schedule) {
    if (act.who === 'begin') server.begin();
    else if (act.who === 'writer') server.step(act.which, act.what);
    else reader.step();
  }
  for (const transaction of server.transactions) {
    if (transaction.ended === 'no') server.end(transaction, 'committed');
    transaction.locked = false;
  }
  for (let steps = 0; steps < 40 + 8 * server.head; steps += 1) reader.step();
  return { delivered: reader.delivered, committed: server.rows(0, Number.MAX_SAFE_INTEGER), reader, server };
};

const holds = (order: Order): fc.IProperty<[Act[], number]> =>
  fc.property(acts, fc.integer({ min: 1, max: 5 }), (schedule, limit) => {
    const { delivered, committed } = play(schedule, order, limit);
    expect(delivered).toEqual(committed);
  });

describe('the proof, over every interleaving of atomic steps', () => {
  test('delivers each committed event exactly once, in order, and settles everything', () => {
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 5 }), (schedule, limit) => {
        const { delivered, committed, reader, server } = play(schedule, 'sound', limit);
        expect(delivered).toEqual(committed);
        expect(reader.state.settled).toBe(server.head);
      }),
      { numRuns: 2000 },
    );
  });

  test('is caught skipping events when the holders are looked at before the head', () => {
    expect(fc.check(holds('holders before head'), { numRuns: 3000, seed: 7 }).failed).toBe(true);
  });

  test('is caught skipping events when it decides on the rows of the first read', () => {
    expect(fc.check(holds('rows used again'), { numRuns: 3000, seed: 7 }).failed).toBe(true);
  });
});
