import { expect, test } from 'vitest';
import type { BuildProgress } from '../replay/index.ts';
import { buildListLines } from './projection-view.ts';
import { styleOf, textWidth } from './style.ts';

const ready: BuildProgress = {
  id: 4,
  app: 'shop',
  name: 'orders',
  formerNames: [],
  version: 1,
  build: 2,
  state: 'building',
  stage: 'ready',
  switching: 'manual',
  shards: 1,
  lanes: 1,
  types: [],
  ceiling: null,
  obstacle: null,
  finding: null,
  startedBy: 'ada',
  reason: null,
  startedAt: '2026-11-22T09:00:00Z',
  ageMs: 60_000,
  startPosition: 0,
  position: 100,
  meanPosition: 100,
  head: 100,
  fed: true,
  done: 1,
  etaMs: null,
};
const below = (build: BuildProgress, width = 100): string[] =>
  buildListLines([{ build, verdict: null }], { width, style: styleOf(false) }).slice(2);

test('a build that waits for a person says for what; one that goes on by itself says nothing', () => {
  expect(below(ready)).toEqual([
    '! build 2 of orders: readers see it after factline projection switch orders',
  ]);
  expect(below({ ...ready, switching: 'automatic' })).toEqual([]);
  const held = below({ ...ready, obstacle: '1 of 60 rows differ from build 1, which is read' }, 40);
  expect(held.map((line) => textWidth(line) <= 40)).toEqual([true, true]);
  expect(held.join(' ')).toContain('1 of 60 rows differ');
});
