import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { machineProcessorMs, serverProcessorMs } from './processor-time.ts';
import type { BenchServer } from './server.ts';
import type { RunReport, RunRequest } from './workload.ts';

/** One run, with what was counted around its measured part. */
export interface Run extends RunReport {
  readonly contender: string;
  readonly workload: string;
  /** The planned workload's name, and which of its rounds. */
  readonly plan: string;
  readonly round: number;
  readonly size: Readonly<Record<string, number>>;
  readonly perSecond: number;
  /** Statements that the server executed in the measured part, per thing done. */
  readonly statementsPerDone: number;
  readonly statementsPerSecond: number;
  /** Processor time of client and server per thing done. */
  readonly processorMsPerDone: number;
  /** Share of the machine that others used meanwhile; above 0.2 the rates say little. */
  readonly othersShare: number;
}

interface Counters {
  readonly statements: number;
  readonly serverMs: number;
  readonly machineMs: number;
  readonly at: number;
}

interface Usage {
  readonly user: number;
  readonly system: number;
}

const child = fileURLToPath(new URL('./run-child.ts', import.meta.url));
const runMsMax = 15 * 60_000;

export interface PlannedRun extends Omit<RunRequest, 'databaseUrl'> {
  readonly plan: string;
  readonly round: number;
}

/** Runs one contender in a process and a database of its own. */
export const runOnce = async (server: BenchServer, request: PlannedRun): Promise<Run> => {
  const name = `bench_${randomBytes(5).toString('hex')}`;
  await server.administrator.query(`create database ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  try {
    return await inChild(server, { ...request, databaseUrl: url.href });
  } finally {
    await server.administrator.query(`drop database if exists ${name} with (force)`);
  }
};

const counters = async (server: BenchServer, database: string): Promise<Counters> => {
  const { rows } = await server.administrator.query<{ calls: string }>(
    `select coalesce(sum(s.calls), 0)::text as calls from pg_stat_statements s
       join pg_database d on d.oid = s.dbid where d.datname = $1 and s.toplevel`,
    [database],
  );
  return {
    statements: Number(rows[0]?.calls),
    serverMs: serverProcessorMs(server.processId),
    machineMs: machineProcessorMs(),
    at: performance.now(),
  };
};

const inChild = (server: BenchServer, request: PlannedRun & RunRequest): Promise<Run> =>
  new Promise((resolve, reject) => {
    const database = new URL(request.databaseUrl).pathname.slice(1);
    const process = fork(child, [JSON.stringify(request)], {
      execArgv: ['--conditions=factline-source', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    process.stderr?.on('data', (data: Buffer) => {
      errors = (errors + data.toString()).slice(-4000);
    });
    const timer = setTimeout(() => process.kill('SIGKILL'), runMsMax);
    let begin: { counters: Counters; usage: Usage } | undefined;
    let end: { counters: Counters; usage: Usage } | undefined;
    let report: RunReport | undefined;
    process.on('message', async (message: { kind: string; processorUs: Usage; report: RunReport }) => {
      if (message.kind === 'begin')
        begin = { counters: await counters(server, database), usage: message.processorUs };
      if (message.kind === 'end')
        end = { counters: await counters(server, database), usage: message.processorUs };
      if (message.kind === 'report') report = message.report;
      process.send({});
    });
    process.on('exit', (code) => {
      clearTimeout(timer);
      if (report === undefined || begin === undefined || end === undefined) {
        reject(
          new RangeError(`${request.contender} failed at ${request.workload} (exit ${code}): ${errors}`),
        );
      } else resolve(summarise(request, report, { begin, end }));
    });
  });

const summarise = (
  request: PlannedRun & RunRequest,
  report: RunReport,
  { begin, end }: { begin: { counters: Counters; usage: Usage }; end: { counters: Counters; usage: Usage } },
): Run => {
  const ownMs = (end.usage.user + end.usage.system - begin.usage.user - begin.usage.system) / 1000;
  const clientMs = ownMs + (report.otherProcessorMs ?? 0);
  const serverMs = end.counters.serverMs - begin.counters.serverMs;
  const wallMs = end.counters.at - begin.counters.at;
  const statements = end.counters.statements - begin.counters.statements;
  const others = end.counters.machineMs - begin.counters.machineMs - clientMs - serverMs;
  const done = Math.max(report.done, 1);
  return {
    ...report,
    contender: request.contender,
    workload: request.workload,
    plan: request.plan,
    round: request.round,
    size: request.size,
    perSecond: (report.done * 1000) / report.elapsedMs,
    statementsPerDone: statements / done,
    statementsPerSecond: (statements * 1000) / wallMs,
    processorMsPerDone: (clientMs + serverMs) / done,
    othersShare: Math.max(0, others) / (wallMs * cores),
  };
};

const cores = availableParallelism();

export const connectAdministrator = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url, application_name: 'bench administrator' });
  await client.connect();
  return client;
};
