import { expect, test } from 'vitest';
import { TransactionSlots } from './transaction-slots.ts';

const never = new AbortController().signal;

test('slots are given in the order of coming; who gives up takes none', async () => {
  const slots = new TransactionSlots(1);
  const order: string[] = [];
  const ending = new AbortController();
  const come = async (name: string, signal: AbortSignal): Promise<void> => {
    order.push(`${name} ${await slots.enter(signal)}`);
  };
  await come('first', never);
  const waiting = [come('second', never), come('third', ending.signal), come('fourth', never)];
  ending.abort();
  await waiting[1];
  slots.leave();
  await waiting[0];
  slots.leave();
  await waiting[2];
  slots.leave();
  await come('fifth', never);
  await come('sixth', ending.signal);
  expect(order).toEqual([
    'first true',
    'third false',
    'second true',
    'fourth true',
    'fifth true',
    'sixth false',
  ]);
});
