import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from './options.ts';

describe('the command line', () => {
  it('needs nothing: the sample, compressed into two minutes, in this process', () => {
    expect(readOptions([])).toEqual({
      input: null,
      invoicesMax: Number.POSITIVE_INFINITY,
      rate: { withinSeconds: 120 },
      untilDrained: false,
      reportPath: null,
      port: null,
      workers: 0,
      chaos: false,
      keep: false,
      orchestrated: false,
      carrierMissesPercent: 0,
      database: null,
    });
  });

  it('takes every option', () => {
    const line =
      '--input f.csv --orders 5 --rate 2.5 --until-drained --report r.json --port 4100 --workers 3 --chaos --keep --orchestrated --carrier-misses 5 --database postgres://x/y';
    expect(readOptions(line.split(' '))).toEqual({
      input: 'f.csv',
      invoicesMax: 5,
      rate: { perSecond: 2.5 },
      untilDrained: true,
      reportPath: 'r.json',
      port: 4100,
      workers: 3,
      chaos: true,
      keep: true,
      orchestrated: true,
      carrierMissesPercent: 5,
      database: 'postgres://x/y',
    });
    expect(readOptions(['--rate', 'max'])?.rate).toBe('max');
    expect(readOptions(['--help'])).toBeNull();
  });

  it.each([
    ['--rate fast', /--rate: expected .* got 'fast'/],
    ['--rate -1', /--rate/],
    ['--orders 0', /--orders: expected a whole number from 1/],
    ['--port 70000', /--port/],
    ['--workers 9', /--workers: expected a whole number from 1 to 8/],
    ['--chaos', /--workers 2 or more/],
    ['--carrier-misses 5', /--carrier-misses.*--orchestrated/],
    ['--orchestrated --carrier-misses 101', /--carrier-misses: expected a whole number from 0 to 100/],
    ['--database mysql://x', /--database/],
    ['--speed 3', /--speed/],
    ['extra', /extra/],
  ])('is refused: %s', (line, message) => {
    expect(() => readOptions(line.split(' '))).toThrow(message);
    expect(() => readOptions(line.split(' '))).toThrow(UsageError);
  });

  it('names everything that is wrong at once', () => {
    expect(() => readOptions(['--orders', 'x', '--port', 'y'])).toThrow(/--orders[\s\S]*--port/);
  });
});
