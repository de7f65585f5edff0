/** A process that ends itself with kill -9 at the n-th time it comes to a step: `node killed-process.ts URL STEP N`.
 * With the step `idle` it ends by itself when everything is handled, with `beside` also, with an innocent and a deadly projection. */
import { createProjectionProcess } from './projection-process.ts';
import { deadly, innocent, tally, tallyBySql } from './tallies.ts';

const [url = '', step = '', times = '1'] = process.argv.slice(2);
let left = Number(times);

const app = createProjectionProcess({
  url,
  definitions: step === 'beside' ? [innocent, deadly] : [tally, tallyBySql],
  testStep: (reached) => {
    if (reached !== step) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
});
await app.start();
if (step === 'idle' || step === 'beside') {
  await app.engine.idle();
  await app.stop();
}
