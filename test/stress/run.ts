import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { judge, ReaderAudit, type ReaderVerdict } from './audit.ts';
import { type ControlName, controls } from './controls.ts';
import type { ProcessTask, StressMessage } from './messages.ts';
import { SeededRandomness } from './randomness.ts';

export interface StressOptions {
  /** A migrated database of the run's own. */
  readonly url: string;
  /** How long is written, from when every process is there. */
  readonly seconds: number;
  /** Ends earlier, but not before so many seconds, as soon as every control is seen to have lost an event. */
  readonly enoughSeconds?: number;
  readonly seed: number;
  /** Processes that write; few are better at showing wrong orders than many. */
  readonly writers: number;
  readonly connectionsPerWriter: number;
  /** Processes that read by the product's tail. */
  readonly tails: number;
  readonly controls: readonly ControlName[];
  /** 'grants': only what a role without rights on positions can do; then both locks must be sound as well. */
  readonly repertoire: 'everything' | 'grants';
  /** kill -9 one writer or reader process about this often; 0: never. */
  readonly killEveryMs: number;
  /** kill -9 one backend about this often, which restarts the whole server; 0: never. Only on a server of the run's own. */
  readonly crashEveryMs: number;
  readonly onProgress?: (line: string) => void;
}

export interface StressReport {
  readonly ok: boolean;
  readonly committed: number;
  /** Positions given for which no event is there. */
  readonly holes: number;
  /** Commits that were acknowledged and are not in the table. */
  readonly lost: number;
  readonly kills: number;
  readonly crashes: number;
  readonly prepared: number;
  readonly readers: readonly ReaderVerdict[];
}

const settleMsMax = 30_000;
const readyMsMax = 30_000;
const janitorMs = 40;

export const runStress = (options: StressOptions): Promise<StressReport> => new StressRun(options).run();

class StressRun {
  readonly #options: StressOptions;
  readonly #randomness: SeededRandomness;
  readonly #audits = new Map<string, ReaderAudit>();
  readonly #acknowledged = new Set<number>();
  readonly #ready = new Set<ChildProcess>();
  readonly #writers = new Set<ChildProcess>();
  readonly #readers = new Map<ChildProcess, readonly string[]>();
  #writing = true;
  #ended = false;
  #kills = 0;
  #crashes = 0;
  #prepared = 0;

  constructor(options: StressOptions) {
    this.#options = options;
    this.#randomness = new SeededRandomness(options.seed);
  }

  async run(): Promise<StressReport> {
    const { tails, writers, repertoire } = this.#options;
    const proofs = [
      'sound order',
      'paused sequence-only',
      ...(repertoire === 'grants' ? ['paused both-locks'] : []),
    ];
    try {
      for (let index = 1; index <= tails; index += 1) this.#startReader([`tail ${index}`]);
      this.#startReader([...proofs, ...this.#options.controls]);
      for (let index = 0; index < writers; index += 1) this.#startWriter();
      await this.#write();
      return await this.#conclude();
    } finally {
      this.#ended = true;
      for (const child of [...this.#writers, ...this.#readers.keys()]) child.kill('SIGKILL');
    }
  }

  /** The writing part: the janitor ends prepared transactions, and death comes now and then. */
  async #write(): Promise<void> {
    const { seconds, killEveryMs, crashEveryMs, onProgress } = this.#options;
    await this.#whenReady();
    const startedAt = Date.now();
    let told = startedAt;
    const client = new Reconnecting(this.#options.url);
    while (Date.now() < startedAt + seconds * 1000 && !this.#enough(Date.now() - startedAt)) {
      await client.attempt((on) => this.#endPrepared(on));
      if (killEveryMs > 0 && this.#randomness.float() < janitorMs / killEveryMs) this.#kill();
      if (crashEveryMs > 0 && this.#randomness.float() < janitorMs / crashEveryMs) {
        await client.attempt((on) => this.#crash(on));
      }
      if (Date.now() - told > 5000) {
        told = Date.now();
        onProgress?.(this.#line());
      }
      await sleep(janitorMs);
    }
    this.#writing = false;
    for (const child of [...this.#writers]) child.kill('SIGKILL');
    await client.close();
  }

  async #whenReady(): Promise<void> {
    const deadline = Date.now() + readyMsMax;
    while (this.#ready.size < this.#writers.size + this.#readers.size && Date.now() < deadline)
      await sleep(10);
  }

  #enough(ms: number): boolean {
    const { enoughSeconds } = this.#options;
    if (enoughSeconds === undefined || ms < enoughSeconds * 1000) return false;
    return [...this.#audits.values()].every(
      (audit) => !isControl(audit.name) || [...this.#acknowledged].some((position) => audit.lacks(position)),
    );
  }

  async #conclude(): Promise<StressReport> {
    const client = new Reconnecting(this.#options.url);
    const barrier = await client.insist(async (on) => {
      await this.#whenQuiet(on);
      return Number((await on.query(barrierText)).rows[0].barrier);
    });
    const sound = [...this.#audits.values()].filter(({ name }) => !isControl(name));
    const deadline = Date.now() + settleMsMax;
    while (Date.now() < deadline && sound.some((audit) => audit.upTo < barrier)) await sleep(20);
    const { rows } = await client.insist((on) =>
      on.query('select position from factline.events order by position'),
    );
    await client.close();
    const committed = (rows as { position: string }[]).map(({ position }) => Number(position));
    const there = new Set(committed);
    const readers = [...this.#audits.values()].map((audit) =>
      judge(audit, { committed, barrier, control: isControl(audit.name) }),
    );
    const lost = [...this.#acknowledged].filter((position) => !there.has(position)).length;
    return {
      ok: lost === 0 && readers.every((reader) => reader.ok),
      committed: committed.length,
      holes: barrier - committed.length,
      lost,
      kills: this.#kills,
      crashes: this.#crashes,
      prepared: this.#prepared,
      readers,
    };
  }

  /** No transaction is left that could still write. */
  async #whenQuiet(on: pg.Client): Promise<void> {
    for (;;) {
      await this.#endPrepared(on);
      const { rows } = await on.query(
        `select (select count(*) from pg_stat_activity where datname = current_database() and application_name = 'writer')
              + (select count(*) from pg_prepared_xacts where database = current_database()) as open`,
      );
      if (Number(rows[0].open) === 0) return;
      await sleep(20);
    }
  }

  async #endPrepared(on: pg.Client): Promise<void> {
    const { rows } = await on.query(
      `select gid from pg_prepared_xacts where database = current_database() and gid like 'stress_%'
          and (prepared < clock_timestamp() - interval '120 ms' or random() < 0.2)`,
    );
    for (const { gid } of rows as { gid: string }[]) {
      await on.query(`${this.#randomness.float() < 0.6 ? 'commit' : 'rollback'} prepared '${gid}'`);
      this.#prepared += 1;
    }
  }

  /** The postmaster takes a killed backend for corrupted memory: it ends all others and recovers from the log. */
  async #crash(on: pg.Client): Promise<void> {
    const { rows } = await on.query(
      `select pid from pg_stat_activity where datname = current_database() and application_name = 'writer' limit 1`,
    );
    const pid = Number((rows[0] as { pid?: number } | undefined)?.pid ?? 0);
    if (pid === 0) return;
    process.kill(pid, 'SIGKILL');
    this.#crashes += 1;
    for (const audit of this.#audits.values()) audit.restarted();
  }

  #kill(): void {
    const tails = [...this.#readers]
      .filter(([, names]) => names[0]?.startsWith('tail'))
      .map(([child]) => child);
    const victim = this.#randomness.pick([...this.#writers, ...tails]);
    victim?.kill('SIGKILL');
    this.#kills += 1;
  }

  #startWriter(): void {
    const { url, connectionsPerWriter: connections, repertoire } = this.#options;
    const child = this.#fork('./writer.ts', {
      url,
      seed: this.#randomness.below(2 ** 31),
      connections,
      repertoire,
    });
    this.#writers.add(child);
    child.on('exit', () => {
      this.#writers.delete(child);
      if (this.#writing && !this.#ended) this.#startWriter();
    });
  }

  #startReader(names: readonly string[]): void {
    const readers = names.map((name) => {
      const audit = this.#audits.get(name) ?? new ReaderAudit(name);
      this.#audits.set(name, audit);
      audit.restarted();
      return { name, after: audit.upTo };
    });
    const { url } = this.#options;
    const child = this.#fork('./reader.ts', { url, seed: this.#randomness.below(2 ** 31), readers });
    this.#readers.set(child, names);
    child.on('exit', () => {
      this.#readers.delete(child);
      if (!this.#ended) this.#startReader(names);
    });
  }

  #fork(file: string, task: ProcessTask): ChildProcess {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(task)], {
      execArgv: ['--conditions=factline-source'],
      stdio: ['ignore', 'ignore', this.#options.crashEveryMs > 0 ? 'ignore' : 'inherit', 'ipc'],
    });
    child.on('message', (message: StressMessage) => {
      if (message.kind === 'ready') this.#ready.add(child);
      else this.#hear(message);
    });
    child.on('exit', () => this.#ready.delete(child));
    child.on('error', () => {});
    return child;
  }

  #hear(message: Exclude<StressMessage, { kind: 'ready' }>): void {
    if (message.kind === 'acknowledged')
      for (const position of message.positions) this.#acknowledged.add(position);
    else if (message.kind === 'delivered') {
      this.#audits.get(message.reader)?.add(message.positions, message.upTo, Date.now());
    } else if (message.kind === 'alarm') this.#audits.get(`${message.reader} 1`)?.alarms.push(message.text);
  }

  #line(): string {
    const audits = [...this.#audits.values()].map(({ name, upTo }) => `${name} ${upTo}`);
    return `${this.#acknowledged.size} acknowledged, ${this.#kills} kills, ${this.#crashes} crashes; ${audits.join(', ')}`;
  }
}

const barrierText =
  "select coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as barrier";

const isControl = (name: string): boolean => name in controls;

/** The run's own connection: it outlives crashes of the server. */
class Reconnecting {
  readonly #url: string;
  #client: pg.Client | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  /** Does it, or gives up for this time. */
  async attempt<T>(work: (on: pg.Client) => Promise<T>): Promise<T | null> {
    try {
      this.#client ??= await this.#connect();
      return await work(this.#client);
    } catch {
      await this.close();
      return null;
    }
  }

  async insist<T>(work: (on: pg.Client) => Promise<T>): Promise<T> {
    for (;;) {
      const done = await this.attempt(async (on) => ({ value: await work(on) }));
      if (done) return done.value;
      await sleep(100);
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url, application_name: 'stress-run' });
    client.on('error', () => {});
    await client.connect();
    return client;
  }
}
