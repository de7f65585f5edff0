import { setTimeout as sleep } from 'node:timers/promises';
import { createFactline, defineEvent, defineHandler } from 'factline';
import { z } from 'zod';

/** Says when its handler begins and ends; killed with SIGTERM in between. */
const Happened = defineEvent({
  type: 'test.thing.happened.v1',
  key: 'id',
  schema: z.object({ id: z.string() }),
});
const slow = defineHandler({
  name: 'slow',
  on: Happened,
  handle: async () => {
    process.stdout.write('handling\n');
    await sleep(500);
    process.stdout.write('finished\n');
  },
});
const app = createFactline({ name: 'drained', database: process.argv[2] ?? '', consumers: [slow] });
await app.start();
await app.publish(Happened({ id: '1' }));
