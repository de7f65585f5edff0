import { DBOS } from '@dbos-inc/dbos-sdk';
import { runInstances } from '../contenders/workflow-load.ts';
import type { RunContext, RunReport } from '../harness/workload.ts';

/** Three trivial steps, each recorded; started and awaited in the same process, as its documentation shows. */
export const workflow =
  (configure: (databaseUrl: string) => void, version: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const threeSteps = DBOS.registerWorkflow(
      async (id: string) => {
        for (let ordinal = 0; ordinal < 3; ordinal += 1)
          await DBOS.runStep(async () => ({ ordinal }), { name: `step-${ordinal}` });
        return { id };
      },
      { name: 'threeSteps' },
    );
    configure(context.databaseUrl);
    await DBOS.launch();
    const report = await runInstances(context, async (id) => {
      const handle = await DBOS.startWorkflow(threeSteps, { workflowID: id })(id);
      await handle.getResult();
    });
    await DBOS.shutdown();
    return { ...report, notes: [version] };
  };
