import { expect, test } from 'vitest';
import type { ConsumerDefinition } from '../../consumers/index.ts';
import { modeOf } from './class-rules.ts';
import { checkManifest } from './manifest.ts';

const fulfil = { name: 'fulfil', class: 'workflow' } as ConsumerDefinition;
const planned = (change: object) =>
  checkManifest({
    title: 'Fulfil again',
    reason: 'the carrier lost them on Monday',
    consumer: 'fulfil',
    selection: { source: 'log', to: 10 },
    ...change,
  });

test.each([
  ['its events', {}, 'factline workflow list --workflow fulfil'],
  ['the shadow', { shadow: true }, 'factline workflow fork'],
  [
    'its quarantine',
    { selection: { source: 'quarantine', fingerprint: '5f3c9a20d1e84b77' } },
    'quarantine release',
  ],
])(
  'a workflow is not replayed, by %s, and what to do instead is no line of a handler',
  (_what, change, remedy) => {
    const refused = expect.objectContaining({
      code: 'REPLAY_MODE_REFUSED',
      remedy: expect.stringContaining(remedy) as string,
    }) as unknown;
    expect(() => modeOf(fulfil, planned(change))).toThrow(refused as Error);
  },
);
