import { describe, expect, it } from 'vitest';
import { injectionsOf, type Point, planText, readPlan } from './injection.ts';

const all = ['crash', 'transient failure', 'permanent failure'] as const;
const point = (site: string, name: string, kinds: Point['kinds']): Point => ({
  site,
  name: `${site} · ${name}`,
  kinds,
});

describe('what can go wrong at the points of a saga', () => {
  it('is a crash where a handler begins, and failures at its steps', () => {
    const points = [
      point('pay · a.b.c.v1', 'begins', all),
      point('pay · a.b.c.v1', 'effect charge · before the call', all),
      point('pay · a.b.c.v1', 'effect charge · after the call', ['crash', 'lost answer']),
      point('pay · a.b.c.v1', 'ends', ['crash']),
    ];
    expect(injectionsOf(points).map((injection) => planText([injection]))).toEqual([
      'crash at pay · a.b.c.v1 · begins',
      'crash at pay · a.b.c.v1 · effect charge · before the call',
      'transient failure at pay · a.b.c.v1 · effect charge · before the call',
      'permanent failure at pay · a.b.c.v1 · effect charge · before the call',
      'crash at pay · a.b.c.v1 · effect charge · after the call',
      'lost answer at pay · a.b.c.v1 · effect charge · after the call',
      'crash at pay · a.b.c.v1 · ends',
    ]);
  });

  it('is also a failure at its beginning where a handler has no step', () => {
    const points = [point('log · a.b.c.v1', 'begins', all), point('log · a.b.c.v1', 'ends', ['crash'])];
    expect(injectionsOf(points).map(({ kind }) => kind)).toEqual([...all, 'crash']);
  });

  it('is not the end of a handler whose commit has recorded it', () => {
    const points = [
      point('ship · a.b.c.v1', 'begins', all),
      point('ship · a.b.c.v1', 'transaction · before the commit', all),
      point('ship · a.b.c.v1', 'transaction · after the commit', ['crash']),
      point('ship · a.b.c.v1', 'ends', ['crash']),
    ];
    expect(injectionsOf(points).map(({ point: name }) => name)).not.toContain('ship · a.b.c.v1 · ends');
  });

  it('can be read again from how it is named', () => {
    const plan = [
      { kind: 'permanent failure', point: 'fulfil · step pack · before the call' },
      { kind: 'crash', point: 'fulfil · undo reserve · after the call' },
    ] as const;
    expect(readPlan(planText(plan))).toEqual(plan);
    expect(() => readPlan('a crash somewhere')).toThrowError(/named|names|"crash at/);
  });
});
