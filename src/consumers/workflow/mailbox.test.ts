import { expect, test } from 'vitest';
import { createTelemetry, systemClock } from '../../foundation/index.ts';
import { createDatabase } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import { Mailbox } from './mailbox.ts';

const request = { instance: 1, ordinal: 1, workflow: 1, type: 'shop.order.paid.v1', key: 'A', after: 0 };

test('a look that fails is tried again for as long as somebody works the instance, and no longer', async () => {
  const database = createDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test' });
  await database.stop();
  const telemetry = createTelemetry();
  let failures = 0;
  telemetry.listen(() => {
    failures += 1;
  });
  const consumer = { name: 'fulfil' };
  const services = { database, clock: systemClock, telemetry, consumer } as unknown as RunnerServices;
  const mailbox = new Mailbox(services);
  let gone = false;
  const looks = [mailbox.read(request, () => gone), mailbox.isOnItsWay(request, () => gone)];
  await expect.poll(() => failures).toBeGreaterThanOrEqual(4);
  gone = true;
  expect(await Promise.all(looks)).toEqual([[], false]);
});
