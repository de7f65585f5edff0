import { type ConsumerDefinition, findUnknownConsumers, sessionLockSpace } from '../consumers/index.ts';
import { type Clock, FactlineError } from '../foundation/index.ts';
import { checkLog } from '../log/index.ts';
import {
  checkServer,
  type Database,
  hostOf,
  loadQueries,
  type PoolSizes,
  pendingMigrations,
  type Row,
  run,
} from '../postgres/index.ts';
import { countText, durationText } from './duration-text.ts';
import { type Finding, fail, ok, skipped, warn } from './finding.ts';
import { measure } from './meter.ts';
import { workflowFindings } from './workflows/findings.ts';
import { isExecutorName } from './workflows/stored-workflows.ts';

const sql = loadQueries<
  | 'server'
  | 'server_clock'
  | 'backend'
  | 'tables'
  | 'open_transactions'
  | 'prepared_transactions'
  | 'open_requests'
  | 'dead_processes'
  | 'running_processes'
>(new URL('./doctor.sql', import.meta.url));

export interface DoctorOptions {
  readonly database: Database;
  readonly clock: Clock;
  /** What the app declares; without it the checks about its code are skipped. */
  readonly app?: {
    readonly name: string;
    readonly consumers: readonly ConsumerDefinition[];
    /** What runs the versions of its workflows; each is called NAME@VERSION. */
    readonly executors: readonly Pick<ConsumerDefinition, 'name'>[];
    readonly pools: PoolSizes;
  };
}

type Check = (options: DoctorOptions) => Promise<readonly Finding[]>;

/** Nothing else can be looked at where one of these fails. */
const preconditions: readonly (readonly [string, Check])[] = [
  [
    'server',
    async ({ database }) => {
      const { version, isNewer } = await checkServer(database.operations, hostOf(database.url));
      const text = `PostgreSQL ${version} at ${hostOf(database.url)}, writable`;
      if (!isNewer) return [ok('server', text)];
      const advice = 'Try it on a copy first, or look for a newer release of Factline';
      return [warn('server', `${text}; newer than what this release was tested with`, advice)];
    },
  ],
  [
    'migrations',
    async ({ database }) => {
      const pending = await pendingMigrations(database.operations);
      if (pending.length === 0) return [ok('migrations', 'the schema factline is up to date')];
      return [fail('migrations', `missing: ${pending.join(', ')}`, 'Run: npx factline migrate')];
    },
  ],
];

/** Looks at everything that goes wrong in practice. One check that fails to run does not keep the others from it. */
export const examine = async (options: DoctorOptions): Promise<readonly Finding[]> => {
  const findings: Finding[] = [];
  for (const [name, check] of preconditions) {
    findings.push(...(await attempt(name, check, options)));
    if (findings.some(({ status }) => status === 'fail')) return findings;
  }
  for (const [name, check] of checks) findings.push(...(await attempt(name, check, options)));
  return findings;
};

const attempt = async (name: string, check: Check, options: DoctorOptions): Promise<readonly Finding[]> => {
  try {
    return await check(options);
  } catch (error) {
    if (FactlineError.is(error)) return [fail(name, error.message, error.remedy)];
    const message = error instanceof Error ? error.message : String(error);
    return [
      fail(
        name,
        `it could not be looked at: ${message}`,
        'Correct what the message says, then run it again.',
      ),
    ];
  }
};

const partitionsAheadMin = 3;

const logFindings: Check = async ({ database }) => {
  const report = await checkLog(database.operations);
  const rule =
    report.ruleReason === null
      ? ok('grants', 'both-locks rule: positions cannot be given by hand')
      : ok('grants', `sequence-only rule, which is sound and waits for a little more: ${report.ruleReason}`);
  const partitions =
    report.partitionsAhead >= partitionsAheadMin
      ? ok('partitions', `${report.partitionsAhead} partitions of the log are ahead`)
      : warn(
          'partitions',
          `only ${report.partitionsAhead} partitions of the log are ahead`,
          'Start the app (it makes them every quarter of an hour), or run as the owner: select factline.create_partitions_ahead()',
        );
  const others = report.warnings.filter((text) => !/partitions of the log/.test(text));
  return [
    ok(
      'log',
      `safe to read up to position ${report.head.toLocaleString('en-US')}; epoch ${report.epoch}, system ${report.systemIdentifier}`,
    ),
    rule,
    partitions,
    ...others.map((text) => warn('log', text, 'See docs/operations.md, "Settings of the server".')),
  ];
};

const settings: Check = async ({ database, app }) => {
  // The pool of users' transactions: that of operations sets limits of its own.
  const [row = {}] = await run(database.transactions, sql.server);
  return [...durability(row), idleInTransaction(row), connections(row, app?.pools ?? {})];
};

const durability = (row: Row): Finding[] => {
  if (row['full_page_writes'] === 'on')
    return [
      ok(
        'durability',
        `synchronous_commit ${row['synchronous_commit']}, fsync ${row['fsync']}, full_page_writes on`,
      ),
    ];
  return [
    warn(
      'durability',
      'full_page_writes is off: a crash of the machine can damage tables',
      'Set full_page_writes = on.',
    ),
  ];
};

const idleInTransaction = (row: Row): Finding => {
  const ms = Number(row['idle_in_transaction_ms']);
  if (ms > 0)
    return ok('idle transactions', `sessions idle in a transaction are ended after ${durationText(ms)}`);
  return warn(
    'idle transactions',
    'a publisher that is idle in its transaction holds up the log for as long as it likes',
    `Run: alter role ${row['role']} set idle_in_transaction_session_timeout = '60s'`,
  );
};

const defaultPools = { transactions: 20, readers: 5, operations: 4 } as const;
/** The tail's direct session. */
const sessionsBeside = 1;

const connections = (row: Row, pools: PoolSizes): Finding => {
  const sizes = { ...defaultPools, ...pools };
  const handlers = sizes.handlers ?? sizes.transactions;
  const needed = sizes.transactions + handlers + sizes.readers + sizes.operations + sessionsBeside;
  const limits = [
    Number(row['max_connections']) - Number(row['reserved_connections']),
    Number(row['role_limit']),
    Number(row['database_limit']),
  ];
  const room = Math.min(...limits.filter((limit) => limit >= 0));
  const fits = Math.floor(room / needed);
  const text = `a process opens up to ${needed} connections; ${room} are allowed, ${row['connections']} are open`;
  if (fits >= 2) return ok('connections', `${text}: room for ${fits} processes`);
  const remedy =
    'Lower `pools` of createFactline, or raise max_connections (or the limit of the role or database).';
  return fits === 1
    ? warn('connections', `${text}: no room for a second process`, remedy)
    : fail('connections', text, remedy);
};

const skewMsMax = 2_000;

const clocks: Check = async ({ database, clock }) => {
  const sentAt = clock.wall().getTime();
  const [row] = await run(database.operations, sql.server_clock);
  const middle = (sentAt + clock.wall().getTime()) / 2;
  const server = Date.parse(String(row?.['now']));
  const shift = Math.abs(Date.parse(String(row?.['engine'])) - server);
  const skew = Math.abs(server - middle);
  const findings = [
    skew <= skewMsMax
      ? ok('clock', `this machine and the server differ by ${durationText(skew)}`)
      : warn(
          'clock',
          `this machine and the server differ by ${durationText(skew)}: times of events will look wrong`,
          'Synchronise both clocks (NTP). Leases and retries are not affected.',
        ),
  ];
  if (shift > skewMsMax) {
    findings.push(
      warn(
        'clock',
        `factline.clock() is ahead of the server by ${durationText(shift)}: a test has replaced it`,
        'Use a fresh database; this one was made for a test.',
      ),
    );
  }
  return findings;
};

/** Behind a pooler in transaction mode two statements may land on two backends. */
const directSession: Check = async ({ database }) => {
  const session = await database.openSession('doctor');
  try {
    const backends = new Set<number>();
    for (let look = 0; look < 3; look += 1) {
      const [row] = await run(session.client, sql.backend);
      backends.add(Number(row?.['pid']));
    }
    if (backends.size === 1 && backends.has(session.processId))
      return [ok('session', 'a direct session: LISTEN and session locks work')];
  } finally {
    await session.close();
  }
  const remedy =
    'Give Factline a direct connection to the server; without it lanes move only when a lease expires (10 s).';
  return [warn('session', 'the connection goes through a pooler that shares sessions', remedy)];
};

const unknownConsumers: Check = async ({ database, app }) => {
  if (app === undefined)
    return [
      skipped('consumers', 'the app is not known', 'Run it where factline.config.ts is, or with --app FILE.'),
    ];
  const stored = await findUnknownConsumers(database.operations, {
    definitions: app.consumers,
    app: { name: app.name },
  });
  // Versions of workflows are looked at by the check `workflows`.
  const unknown = stored.filter(({ name }) => !isExecutorName(name));
  if (unknown.length === 0)
    return [
      ok(
        'consumers',
        `${countText(app.consumers.length, 'consumer')} declared, none stored that nobody declares`,
      ),
    ];
  return unknown.map(({ name, build, checkpoint, parked }) =>
    fail(
      'consumers',
      `${name} (build ${build}) is stored, at position ${checkpoint ?? 0} with ${countText(parked, 'parked event')}, and no code declares it`,
      `If it was renamed, declare the new one with formerly: ['${name}']; if it was removed, its progress stays until then.`,
    ),
  );
};

const progress: Check = async ({ database, app }) => {
  const verdicts = await measure({ database, ...(app === undefined ? {} : { app: app.name }) });
  const stalled = verdicts.filter(({ verdict }) => verdict === 'STALLED');
  const running = await run(database.operations, sql.running_processes);
  if (running.length === 0 && stalled.length > 0) {
    const text = `no process is running; ${countText(verdicts.length, 'consumer waits', 'consumers wait')} for one`;
    return [warn('progress', text, 'Start the app: npx factline start')];
  }
  if (stalled.length === 0)
    return [ok('progress', `${countText(verdicts.length, 'consumer')}, none stalled`)];
  return stalled.map(({ consumer, reasons }) =>
    fail(
      'progress',
      `${consumer} is STALLED: ${reasons[0]?.text ?? 'no progress'}`,
      'Look at the logs of the app. See: npx factline status',
    ),
  );
};

const workflows: Check = async ({ database, app }) => {
  const verdicts = await measure({ database, ...(app === undefined ? {} : { app: app.name }) });
  return workflowFindings(verdicts, app?.executors.map(({ name }) => name) ?? null);
};

const deadOwners: Check = async ({ database }) => {
  const dead = await run(database.operations, sql.dead_processes, [sessionLockSpace]);
  if (dead.length === 0) return [ok('lanes', 'no lane belongs to a dead process')];
  return dead.map((row) => {
    const silent = durationText(Number(row['silent_ms']));
    const lanes = countText(Number(row['lanes']), 'lane');
    return warn(
      'lanes',
      `the process ${row['pid']} on ${row['host']} is gone (silent for ${silent}) and still owns ${lanes}`,
      'Start the app: a living process takes them over within seconds.',
    );
  });
};

const tailHeldMs = 10_000;

const openTransactions: Check = async ({ database }) => {
  const open = await run(database.operations, sql.open_transactions, [tailHeldMs]);
  const prepared = await run(database.operations, sql.prepared_transactions);
  const findings = open.map((row) =>
    warn(
      'tail',
      `the transaction of process ${row['pid']} (${row['application_name'] || 'unnamed'}) has held up the log for ${durationText(Number(row['age_ms']))}: ${String(
        row['query'] ?? '',
      )
        .replace(/\s+/g, ' ')
        .slice(0, 80)}`,
      `End it; if it hangs: select pg_terminate_backend(${row['pid']})`,
    ),
  );
  for (const row of prepared) {
    const text = `the prepared transaction ${row['gid']} is ${durationText(Number(row['age_ms']))} old`;
    findings.push(warn('tail', text, `COMMIT PREPARED '${row['gid']}' or ROLLBACK PREPARED '${row['gid']}'`));
  }
  return findings.length > 0 ? findings : [ok('tail', 'no transaction holds up the log')];
};

const requestsMsMax = 60_000;

const requests: Check = async ({ database }) => {
  const [row] = await run(database.operations, sql.open_requests);
  const open = Number(row?.['open']);
  const oldest = Number(row?.['oldest_ms']);
  if (open === 0 || oldest < requestsMsMax) return [ok('requests', `${countText(open, 'request')} open`)];
  const text = `${countText(open, 'request')} open, the oldest for ${durationText(oldest)}`;
  return [warn('requests', text, 'They are carried out by the process that works the lane: start the app.')];
};

const bloat: Check = async ({ database }) => {
  const rows = await run(database.operations, sql.tables);
  if (rows.length === 0) return [ok('vacuum', 'no table is bloated')];
  return rows.map((row) =>
    warn(
      'vacuum',
      `factline.${row['name']} has ${countText(Number(row['dead']), 'dead row')}, last vacuumed ${row['vacuumed_at'] ?? 'never'}`,
      `Look for old open transactions, then run: vacuum factline.${row['name']}`,
    ),
  );
};

const processes: Check = async ({ database }) => {
  const rows = await run(database.operations, sql.running_processes);
  const versions = new Set(rows.map((row) => String(row['code_version'])));
  const indirect = rows.filter((row) => row['direct_session'] === false).length;
  const text = `${countText(rows.length, 'process', 'processes')} running`;
  const findings = [
    ok('processes', versions.size > 1 ? `${text}, on the versions ${[...versions].join(', ')}` : text),
  ];
  if (indirect > 0)
    findings.push(
      warn(
        'processes',
        `${countText(indirect, 'process', 'processes')} without a direct session`,
        'Give Factline a direct connection to the server, past the pooler.',
      ),
    );
  return findings;
};

const checks: readonly (readonly [string, Check])[] = [
  ['log', logFindings],
  ['settings', settings],
  ['clock', clocks],
  ['session', directSession],
  ['consumers', unknownConsumers],
  ['processes', processes],
  ['progress', progress],
  ['workflows', workflows],
  ['lanes', deadOwners],
  ['tail', openTransactions],
  ['requests', requests],
  ['vacuum', bloat],
];
