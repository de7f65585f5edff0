import { defineHandler, type Handler } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { factSchema } from '../system-events/fact-schema.ts';

const sql = loadQueries<'switch_on' | 'switch_off' | 'claim_probe' | 'probe_seen'>(
  new URL('./probes.sql', import.meta.url),
);

/** Sent so often, by one process of the app. */
export const probeEveryMs = 10_000;
/** Processes do not tick at the same moment: a turn a little early is a turn. */
const turnMs = probeEveryMs - 1_000;

/** It says nothing: that it came through is all. */
export const ProbeSent = defineEvent({
  type: 'factline.probe.sent.v1',
  key: 'app',
  schema: factSchema({ app: 'text' }),
  owner: 'factline',
  kind: 'system',
});

/**
 * The other end: an ordinary handler of the app, so that a probe goes the way of every event: through log, tail, lane and a commit with
 * its fence. It keeps no record of its own but the time.
 */
export const probeHandler = (app: string): Handler =>
  defineHandler({
    name: `probe.${app
      .toLowerCase()
      .replaceAll(/[^a-z0-9_.-]/g, '-')
      .slice(0, 90)}`,
    owner: 'factline',
    on: ProbeSent,
    lanes: 1,
    slo: { handledWithin: '15s' },
    handle: async (event, { transaction }) => {
      if (event.data.app !== app) return;
      await transaction((tx) => tx.query(sql.probe_seen.text, [app, event.recordedAt]));
    },
  });

/** From now on the app's verdicts rest on its probes, or no longer. */
export const switchProbes = async (on: Queryable, app: string, wanted: boolean): Promise<void> => {
  await run(on, wanted ? sql.switch_on : sql.switch_off, [app]);
};

/** Whether it is this process's turn to send one. */
export const claimProbe = async (on: Queryable, app: string): Promise<boolean> =>
  (await run(on, sql.claim_probe, [app, turnMs])).length > 0;
