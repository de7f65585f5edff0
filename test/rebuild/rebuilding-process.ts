/**
 * A process of its own that feeds the pipeline's read models until SIGTERM: `node rebuilding-process.ts URL STEP N`. It ends
 * itself with kill -9 when it comes to the step for the N-th time; with N = 0 never.
 */
import { customerSpend } from '../../examples/order-pipeline/read-models/customer-spend.ts';
import { orderSummary } from '../../examples/order-pipeline/read-models/order-summary.ts';
import { createProjectionProcess } from '../projection/projection-process.ts';

const [url = '', step = '', times = '0'] = process.argv.slice(2);
let left = Number(times);

const app = createProjectionProcess({
  url,
  definitions: [orderSummary, customerSpend],
  testStep: (reached) => {
    if (reached !== step) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
});
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)));
process.once('disconnect', () => process.exit(1));
await app.start();
