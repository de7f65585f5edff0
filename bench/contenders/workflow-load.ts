import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';

export const stepsPerWorkflow = 3;
/** For connections and plans; not counted. */
export const warmUp = 50;

/** Runs as many instances as the size says, so many at once, each from its start to its result. */
export const runInstances = async (
  context: RunContext,
  run: (id: string) => Promise<unknown>,
): Promise<RunReport> => {
  const clients = sizeOf(context, 'clients');
  const instances = sizeOf(context, 'instances');
  const latenciesMs: number[] = [];
  const all = async (prefix: string, count: number): Promise<void> => {
    let next = 0;
    const client = async (): Promise<void> => {
      for (let n = next++; n < count; n = next++) {
        const since = performance.now();
        await run(`${prefix}${n}`);
        latenciesMs.push(performance.now() - since);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
  };
  await all('warm-', warmUp);
  latenciesMs.length = 0;
  const elapsedMs = await context.measure(() => all('w', instances));
  // Of many at once the time of one says nothing but how many there are.
  const times = clients === 1 ? { latenciesMs } : {};
  return { done: instances, elapsedMs, ...times, lost: 0, doubled: 0 };
};
