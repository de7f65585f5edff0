import { expect, test } from 'vitest';
import { checkWindow, isOpen } from './window.ts';

test('hours include their beginning and not their end, and may go over midnight', () => {
  const day = { from: '09:00', to: '17:00', zone: 'UTC' };
  expect(['08:59', '09:00', '16:59', '17:00'].map((now) => isOpen(day, now))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  const night = { from: '22:00', to: '05:30', zone: 'UTC' };
  expect(['21:59', '22:00', '00:00', '05:29', '05:30'].map((now) => isOpen(night, now))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
});

test('no hours mean any; UTC where no zone is given', () => {
  expect(checkWindow(undefined)).toBeNull();
  expect(checkWindow({ from: '22:00', to: '05:30' })).toEqual({ from: '22:00', to: '05:30', zone: 'UTC' });
});

test.each([
  [{ from: '9:00', to: '17:00' }, 'window.from'],
  [{ from: '09:00', to: '24:00' }, 'window.to'],
  [{ from: '09:00', to: '09:00' }, 'window.to'],
  [{ from: '09:00', to: '10:00', zone: 'Europe/Lundon' }, 'window.zone'],
  [{ from: '09:00', to: '10:00', zone: "UTC'; drop table x" }, 'window.zone'],
  [{ from: '09:00', to: '10:00', zone: '+01:00' }, 'window.zone'],
  [{ from: '09:00', to: '10:00', days: 'MO' }, 'window.days'],
  ['at night', 'window'],
])('%o is refused: %s', (given, field) => {
  expect(() => checkWindow(given)).toThrow(field);
});
