import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineCommand, defineEvent } from '../../contracts/index.ts';
import { limitOf } from './limit.ts';

const terms = { key: 'orderId', schema: z.object({ orderId: z.string() }) } as const;
const Done = defineEvent({ ...terms, type: 'shop.order.cancelled.v1' });
const Cancel = defineCommand({ ...terms, type: 'shop.order.cancel.v1', replies: [Done] });
const Quick = defineCommand({ ...terms, type: 'shop.order.quit.v1', replies: [Done], within: '2s' });
const Silent = defineCommand({ ...terms, type: 'shop.order.hide.v1', within: '2s' });

test('a request waits as long as it says, else as long as the command declares', () => {
  expect([limitOf(Quick, undefined), limitOf(Quick, '1h'), limitOf(Cancel, '1ms')]).toEqual([
    '2s',
    '1h',
    '1ms',
  ]);
});

test.each([
  ['no time limit', Cancel, undefined, 'it has no time limit'],
  ['a time limit that is none', Quick, 'soon', '"soon" is no time limit'],
  ['a time limit of more than an hour', Quick, '61m', '"61m" is no time limit'],
  ['no declared reply', Silent, '1s', 'it declares no replies'],
  ['an event', Done, '1s', 'it is no command'],
  ['nothing at all', undefined, '1s', 'it is no command'],
])('a request with %s is refused', (_what, command, within, reason) => {
  expect(() => limitOf(command as never, within as never)).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID', details: expect.objectContaining({ reason }) }),
  );
});
