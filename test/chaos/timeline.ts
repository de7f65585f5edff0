import { appendFileSync } from 'node:fs';
import {
  createFactlineWith,
  type Factline,
  type FactlineOptions,
  internals,
  systemSeams,
} from '../../src/app/index.ts';

/** How long one line gathers steps for. */
const gatherMs = 250;
const told = new Set(['process.joined', 'process.suspended', 'tail.session-lost', 'engine.error']);

/**
 * The app, which writes to a file what it does when: a line for each thing that happens to the process, and four a second with how often it
 * came to which step. To find out where the time goes.
 */
export const createTimed = (options: FactlineOptions, file: string): Factline => {
  const steps = new Map<string, number>();
  const write = (text: string): void =>
    appendFileSync(file, `${(Date.now() / 1000).toFixed(2)} ${process.pid} ${text}\n`);
  const count = (step: string): void => void steps.set(step, (steps.get(step) ?? 0) + 1);
  write(`started ${Math.round(process.uptime() * 1000)} ms ago`);
  const app = createFactlineWith(options, { ...systemSeams, testStep: count as never });
  internals(app).telemetry.listen(({ name, fields }) => {
    if (name === 'lane.taken') count(`${fields.consumer} ${fields.clean ? 'clean' : 'unclean'} lanes`);
    else if (name === 'lane.lost') count(`${fields.consumer} lost lanes`);
    else if (told.has(name)) write(`${name} ${describe(fields)}`);
  });
  setInterval(() => {
    if (steps.size > 0) write([...steps].map(([step, times]) => `${step} ${times}`).join(', '));
    steps.clear();
  }, gatherMs).unref();
  return app;
};

const describe = (fields: object): string =>
  Object.values(fields)
    .map((value) => (value instanceof Error ? value.message : String(value)))
    .join(' ');
