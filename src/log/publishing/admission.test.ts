import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { createManualClock, createTelemetry, type TelemetryEvent } from '../../foundation/index.ts';
import { admitDrafts } from './admission.ts';

const schema = z.object({ id: z.string() });
const contract = { type: 'test.thing.made.v1', key: 'id', schema } as const;
const nextId = () => 'id';

describe('an event with producers', () => {
  const Made = defineEvent({ ...contract, producers: ['shop', 'import'] });

  test('is admitted from them, and refused from any other app', () => {
    const from = (source: string) => () => admitDrafts([Made({ id: 'x' })], { source, nextId });
    for (const producer of Made.producers) expect(from(producer)).not.toThrow();
    expect(from('billing')).toThrowError(
      expect.objectContaining({
        code: 'PRODUCER_NOT_LISTED',
        details: { type: Made.type, source: 'billing', producers: ['shop', 'import'] },
      }),
    );
  });

  test('without producers is admitted from everybody', () => {
    const Free = defineEvent(contract);
    expect(() => admitDrafts([Free({ id: 'x' })], { source: 'anybody', nextId })).not.toThrow();
  });
});

describe('a deprecated event', () => {
  const publishAt = (day: string) => {
    const Old = defineEvent({
      ...contract,
      deprecated: { since: '2026-03-01', until: '2026-06-30', replacement: 'test.thing.made.v2' },
    });
    const clock = createManualClock(new Date(day));
    const telemetry = createTelemetry();
    const told: TelemetryEvent[] = [];
    telemetry.listen((event) => told.push(event));
    for (let times = 0; times < 3; times += 1)
      admitDrafts([Old({ id: 'x' }), Old({ id: 'y' })], { source: 's', nextId, telemetry, clock });
    return told;
  };

  test('is told once in a process, from its first day on', () => {
    expect(publishAt('2026-02-28T23:59:59Z')).toEqual([]);
    expect(publishAt('2026-03-01T00:00:00Z')).toMatchObject([
      {
        name: 'contract.deprecated',
        level: 'warn',
        fields: {
          type: contract.type,
          since: '2026-03-01',
          until: '2026-06-30',
          replacement: 'test.thing.made.v2',
        },
      },
    ]);
  });

  test('is published on after its last day: production does not stop at midnight', () => {
    expect(publishAt('2030-01-01T00:00:00Z')).toHaveLength(1);
  });
});
