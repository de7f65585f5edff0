import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createFactline } from 'factline';
import { expect, test } from 'vitest';
import { eventually, ParcelScanned, rows, useApps } from './fixtures.ts';
import { callsTable, stationed, stations } from './stations.ts';

const launch = useApps();
const program = fileURLToPath(new URL('./stationed-process.ts', import.meta.url));

/** A lease would last so long: who goes on earlier has seen that the process is gone. */
const leaseMs = 10_000;

test('kill -9 at a step, in a transaction, between attempts, asleep, waiting or taking back: another process goes on within seconds', async () => {
  const kit = await launch({ consumers: [], contracts: [ParcelScanned] });
  const { databaseUrl } = kit;
  await rows(kit, callsTable);
  await rows(kit, 'create table bookings (at text not null)');
  const killed = fork(program, [databaseUrl], { execArgv: ['--conditions=factline-source'] });
  try {
    await once(killed, 'message');
    const workflow = stationed({ databaseUrl, stays: false });
    await using survivor = createFactline({
      name: 'shop',
      database: databaseUrl,
      consumers: [workflow],
      contracts: [ParcelScanned],
      handleSignals: false,
    });
    await survivor.start();
    const handles = await Promise.all(
      stations.map((at) => survivor.startWorkflow(workflow, { key: at, input: { at } })),
    );
    const standing = `select i.key from factline.workflow_instances i where i.state = case i.key
        when 'undo' then 'compensating' when 'step' then 'running' when 'transaction' then 'running' else 'waiting' end
      and (i.key <> 'step' or exists (select from calls where key like '%:hang'))
      and (i.key <> 'undo' or exists (select from calls where key like '%:undo'))
      and (i.key <> 'transaction' or exists (select from pg_stat_activity where state = 'idle in transaction' and datname = current_database()))`;
    await eventually(
      async () => (await rows(kit, standing)).length === stations.length,
      'all are at their stations',
    );
    const begun = performance.now();
    killed.kill('SIGKILL');
    await kit.advance('61m');
    await survivor.publish(ParcelScanned({ parcelId: 'wait', ok: true, place: 'door' }));
    const results = await Promise.all(
      handles.map((handle) =>
        handle
          .result({ within: '30s' })
          .catch((error: { details: { state: string } }) => error.details.state),
      ),
    );
    expect(performance.now() - begun).toBeLessThan(leaseMs);
    expect(results).toEqual(['step', 'transaction', 'retry', 'sleep', 'wait', 'failed']);
    expect(await rows(kit, 'select at from bookings')).toEqual([{ at: 'transaction' }]);
    const calls = await rows(
      kit,
      `select split_part(key, ':', 3) || case when key like '%:undo' then ' undone' else '' end as call,
         count(distinct key)::int as keys, count(distinct pid)::int as processes
       from calls group by 1 order by 1`,
    );
    expect(calls).toEqual([
      { call: 'after', keys: 5, processes: 1 },
      { call: 'before', keys: 6, processes: 1 },
      { call: 'before undone', keys: 1, processes: 2 },
      { call: 'hang', keys: 1, processes: 2 },
      { call: 'shaky', keys: 1, processes: 2 },
    ]);
  } finally {
    killed.kill('SIGKILL');
  }
}, 60_000);
