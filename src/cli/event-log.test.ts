import { describe, expect, it } from 'vitest';
import { createManualClock, createTelemetry } from '../foundation/index.ts';
import { printEvents, rangesText } from './event-log.ts';
import { styleOf } from './style.ts';

const log = (options: { json?: boolean; level?: 'debug' | 'info' | 'warn' } = {}) => {
  const lines: string[] = [];
  const telemetry = createTelemetry();
  const clock = createManualClock(new Date('2026-11-21T14:00:00Z'));
  const { json = false, level = 'info' } = options;
  const forget = printEvents({
    telemetry,
    clock,
    level,
    json,
    style: styleOf(false),
    print: (line) => void lines.push(line),
  });
  return { lines, telemetry, clock, forget };
};

describe('the log of a running app', () => {
  it('is a line per event from its level on', () => {
    const { lines, telemetry } = log({ level: 'warn' });
    telemetry.emit('process.left', { processId: 1, incarnation: 'x' });
    telemetry.emit('breaker.opened', {
      consumer: 'payment',
      fingerprint: 'f',
      reason: 'the provider is down',
    });
    expect(lines).toEqual([
      '14:00:00.000 warn  breaker.opened consumer=payment fingerprint=f reason="the provider is down"',
    ]);
  });

  it('is a JSON document per event, errors by their message', () => {
    const { lines, telemetry } = log({ json: true });
    telemetry.emit('engine.error', { unit: 'the tail', error: new Error('away') });
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: '2026-11-21T14:00:00.000Z',
      level: 'error',
      event: 'engine.error',
      unit: 'the tail',
      error: 'away',
    });
  });

  it('tells of the lanes of a consumer in one line', async () => {
    const { lines, telemetry, clock, forget } = log();
    for (const lane of [0, 1, 2, 5])
      telemetry.emit('lane.taken', { consumer: 'payment', lane, token: 1, clean: true });
    telemetry.emit('lane.taken', { consumer: 'orders', lane: 0, token: 1, clean: true });
    expect(lines).toEqual([]);
    await clock.advance(100);
    expect(lines).toEqual([
      '14:00:00.100 info  lane.taken consumer=payment lanes="0–2, 5"',
      '14:00:00.100 info  lane.taken consumer=orders lanes=0',
    ]);
    telemetry.emit('lane.released', { consumer: 'orders', lane: 0, token: 1 });
    forget();
    expect(lines).toHaveLength(3);
    expect(clock.armed).toBe(0);
  });

  it('shows numbers as ranges', () => {
    expect(rangesText([3, 1, 2, 7])).toBe('1–3, 7');
    expect(rangesText([])).toBe('');
  });
});
