import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createTelemetry, type TelemetryEvent } from '../../foundation/index.ts';
import { createDatabase, type Database, engineTransaction } from '../../postgres/index.ts';
import { driveReleases } from './drive-releases.ts';
import { assignGroup, noteOnGroup, snoozeGroup } from './group-acts.ts';
import { findGroup, listGroups, listNotes } from './groups.ts';
import { beginRelease, findRelease } from './releases.ts';
import { watchQuarantine } from './watch.ts';

let own: TestDatabase;
let database: Database;

beforeAll(async () => {
  own = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: own.url, applicationName: 'groups-test' });
  await database.operations.query(`
    insert into factline.consumers (app, class, name, types, lanes, start_position)
      values ('shop', 'operational', 'payment', array['shop.order.placed.v1'], 16, 0), ('shop', 'operational', 'mail', '{}', 16, 0);
    insert into factline.lanes (consumer_id, lane, generation) select c, lane, 1 from generate_series(1, 2) c, generate_series(0, 15) lane;
    insert into factline.contract_terms (app, type, owner, key, code_version)
      values ('shop', 'shop.order.placed.v1', 'checkout', array['orderId'], '1');
    insert into factline.quarantine_groups (consumer_id, fingerprint, event_type, error_code, error_message, disposition, failures,
      first_code_version, last_code_version, first_seen_at, last_seen_at)
    select c, 'f' || c || n, 'shop.order.placed.v1', 'Error', 'no stock', 'poison', 1, '1', '2', factline.clock(), factline.clock()
      from generate_series(1, 2) c, generate_series(1, 3) n`);
});
afterAll(async () => {
  await database.stop();
  await own.drop();
});

/** So many keys of the group in quarantine, with followers behind each. */
const park = async (group: number, keys: number, followers = 0): Promise<void> => {
  await database.operations.query(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason, group_id)
     select g.consumer_id, 'g' || g.id || '-' || k, hashtext('g' || g.id || '-' || k), b.top + k * 10 + f,
            case f when 0 then 'quarantined' else 'waiting' end, 'failed', case f when 0 then g.id end
       from factline.quarantine_groups g, generate_series(1, $2::int) k, generate_series(0, $3::int) f,
            (select coalesce(max(position), 0) as top from factline.parked) b
      where g.id = $1`,
    [group, keys, followers],
  );
};

const advance = (seconds: number): Promise<unknown> =>
  database.operations.query(
    `create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
       as $$ select clock_timestamp() + interval '${seconds} seconds' $$`,
  );

test('what people say about a group stays with it, and what is too much for it is refused', async () => {
  const on = database.operations;
  await park(1, 2, 3);
  expect(await findGroup(on, 1)).toMatchObject({
    keys: 2,
    followers: 6,
    owner: 'checkout',
    introducedBy: '1',
    lastCodeVersion: '2',
  });
  await assignGroup(on, 1, 'ada');
  expect(await snoozeGroup(on, 1, 60_000)).toMatch(/^20/);
  await noteOnGroup(on, 1, { author: 'ada', text: 'first\u0000' });
  await noteOnGroup(on, 1, { author: 'bob', text: 'second' });
  expect(await findGroup(on, 1)).toMatchObject({
    assignedTo: 'ada',
    notes: 2,
    snoozedUntil: expect.any(String),
  });
  expect((await listNotes(on, 1)).map(({ text }) => text)).toEqual(['second', 'first\ufffd']);
  await assignGroup(on, 1, null);
  expect(await snoozeGroup(on, 1, 0)).toBeNull();
  for (const refused of [
    () => noteOnGroup(on, 1, { author: 'ada', text: 'x'.repeat(4_001) }),
    () => noteOnGroup(on, 1, { author: 'ada', text: '  ' }),
    () => assignGroup(on, 1, 'x'.repeat(201)),
    () => snoozeGroup(on, 1, 15 * 24 * 3_600_000),
  ])
    await expect(refused()).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  for (const refused of [
    () => noteOnGroup(on, 99, { author: 'ada', text: 'x' }),
    () => assignGroup(on, 99, 'ada'),
    () => snoozeGroup(on, 99, 1),
  ])
    await expect(refused()).rejects.toMatchObject({ code: 'QUARANTINE_GROUP_NOT_FOUND' });
});

test('age and growth are told once each, by whoever looks first', async () => {
  const on = database.operations;
  const told: TelemetryEvent[] = [];
  const telemetry = createTelemetry();
  telemetry.listen((event) => told.push(event));
  const names = (): string[] =>
    told.splice(0).map(({ name, fields }) => {
      const { group, level } = fields as { readonly group?: unknown; readonly level?: unknown };
      return `${name} ${group} ${level}`;
    });
  await park(2, 12);
  await Promise.all([watchQuarantine(on, telemetry), watchQuarantine(on, telemetry)]);
  expect(names()).toEqual(['quarantine.growing 2 1']);
  await park(2, 12);
  await watchQuarantine(on, telemetry);
  expect(names(), 'too soon to look again').toEqual([]);
  await advance(61);
  await watchQuarantine(on, telemetry);
  expect(names(), 'it still grows').toEqual([]);
  await advance(122);
  await watchQuarantine(on, telemetry);
  await park(2, 100);
  await advance(183);
  await watchQuarantine(on, telemetry);
  expect(names(), 'it had stopped and grows again').toEqual(['quarantine.growing 2 1']);
  await advance(9 * 3_600);
  await watchQuarantine(on, telemetry);
  expect(names().sort()).toEqual(['quarantine.escalated 1 1', 'quarantine.escalated 2 3']);
  expect(telemetry.metrics.renderPrometheus()).toContain(
    'factline_quarantine_escalation{consumer="payment"} 3',
  );
  await watchQuarantine(on, telemetry);
  await advance(9 * 3_600 + 61);
  await watchQuarantine(on, telemetry);
  expect(names()).toEqual([]);
  const { rows } = await on.query(
    'select kind, count(*)::int as n from factline.quarantine_alerts group by kind order by kind',
  );
  expect(rows).toEqual([
    { kind: 'age', n: 2 },
    { kind: 'growth', n: 2 },
  ]);
});

test('what was sent is followed by what the consumer has written, and by nothing else', async () => {
  const on = database.operations;
  await park(3, 5);
  const { value } = await engineTransaction(on, (client) =>
    beginRelease(client, { group: 3, canary: 0, rate: 500, stopAfter: 10, actor: 'ada' }),
  );
  const drive = async (): Promise<unknown> => {
    await on.query('update factline.quarantine_releases set next_send_at = factline.clock()');
    await driveReleases(on);
    return (await findRelease(on, value.id)).rest;
  };
  expect(await drive()).toMatchObject({ sent: 5 });
  const nth = (n: number): string =>
    `(select parked_id from factline.quarantine_release_items where release_id = ${value.id} and ordinal = ${n})`;
  await on.query(`
    insert into factline.quarantine_discards (parked_id, consumer_id, position, keys, followers, actor, reason)
      select id, consumer_id, position, '[]', 0, 'bob', 'x' from factline.parked where id = ${nth(2)};
    insert into factline.parked_events (consumer_id, position, error_message, last_failed_at)
      select consumer_id, position, 'again', factline.clock() from factline.parked where id = ${nth(3)};
    insert into factline.parked_events (consumer_id, position, error_message, last_failed_at)
      select consumer_id, position, 'long ago', factline.clock() - interval '1 day' from factline.parked where id = ${nth(4)};
    update factline.parked set state = 'waiting' where id = ${nth(5)};
    delete from factline.parked where id in (${nth(1)}, ${nth(2)})`);
  expect(await drive(), 'what was not answered yet is under way').toMatchObject({
    handled: 1,
    gone: 1,
    failed: 1,
    sent: 2,
  });
  await on.query(
    "update factline.requests set state = 'done', answered_at = factline.clock() where state = 'open'",
  );
  expect(await drive(), 'what was not let go is sent again').toMatchObject({
    handled: 1,
    gone: 1,
    failed: 1,
    sent: 2,
  });
  const { rows } = await on.query(
    "select arguments ->> 'ids' as ids from factline.requests where state = 'open'",
  );
  const { rows: again } = await on.query(`select ${nth(4)} as id`);
  expect(rows).toEqual([{ ids: `[${again[0].id}]` }]);
  await on.query(`delete from factline.parked where group_id = 3`);
  await drive();
  expect(await findRelease(on, value.id)).toMatchObject({
    state: 'done',
    firstFailure: 'again',
    rest: { handled: 3, gone: 1, failed: 1 },
  });
});

test('a hundred thousand keys: listed, frozen and driven, under way never more than the bound', async () => {
  const on = database.operations;
  await park(4, 60_000, 1);
  await park(5, 40_000, 1);
  await on.query('analyze factline.parked');
  const listed = await listGroups(on);
  expect(listed.find(({ id }) => id === 4)).toMatchObject({
    events: 60_000,
    followers: 60_000,
    partly: false,
    disposition: 'systemic',
  });
  const { value } = await engineTransaction(on, (client) =>
    beginRelease(client, { group: 4, canary: 0, rate: 500, stopAfter: 10, actor: 'ada' }),
  );
  expect(value.selected).toBe(60_000);
  for (let pass = 0; pass < 3; pass += 1) {
    if (pass > 0) await on.query('update factline.quarantine_releases set next_send_at = factline.clock()');
    await driveReleases(on);
  }
  expect((await findRelease(on, value.id)).rest).toMatchObject({ sent: 500, selected: 59_500 });
  const { rows } = await on.query(
    "select count(*)::int as n, max(jsonb_array_length(arguments -> 'ids'))::int as most from factline.requests",
  );
  expect(rows[0].n).toBeLessThanOrEqual(32);
  expect(rows[0].most).toBeLessThanOrEqual(100);
}, 60_000);
