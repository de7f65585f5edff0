import { expect, test } from 'vitest';
import { isPastTense } from './past-tense.ts';

test.each(
  `placed paid sent shipped held begun put set read cut won lost found withdrawn rebuilt overridden payment-failed card_charged
   timed-out checked-in signed-up rolled-back paid-out agreed freed refereed not-found went rewritten cast let split reset prepaid
   resent out-of-stock-reported`.split(/\s+/),
)('%s is past', (action) => {
  expect(isPastTense(action)).toBe(true);
});

test.each(
  `place pay order payment send sending failure need feed speed proceed embed red bed hundred sacred v2 up out in-out placed-order
   shipment stock-out requestable`.split(/\s+/),
)('%s is not', (action) => {
  expect(isPastTense(action)).toBe(false);
});
