import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metrics, spans, telemetryEvents } from './telemetry-catalogue.ts';

/** The types see to it that only what stands in the catalogue is emitted; this is the other way round. */
test('everything in the telemetry catalogue is emitted somewhere', () => {
  const text = globSync('src/**/*.ts')
    .filter((file) => !file.endsWith('.test.ts') && !file.includes('telemetry-catalogue'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const names = [metrics, spans, telemetryEvents].flatMap((table) => Object.keys(table));
  expect(names.filter((name) => !text.includes(`'${name}'`))).toEqual([]);
});

test('each table is sorted by name, so that an entry has one place', () => {
  for (const table of [metrics, spans, telemetryEvents]) {
    expect(Object.keys(table)).toEqual(Object.keys(table).sort());
  }
});
