import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFactline, type Factline } from 'factline';
import pg from 'pg';
import { sendRequest } from '../../src/operations/index.ts';
import { SeededRandomness } from '../stress/randomness.ts';
import { auditChaos, type ChaosFacts } from './audit.ts';
import { Confirmed, Ended, fateOf, fulfilment, Ordered, orderIdOf } from './chaos-workflow.ts';
import { Disturbances, type DisturbancesEvery } from './disturbances.ts';
import { Fleet, forkProgram } from './fleet.ts';
import { intruders } from './intruders.ts';
import type { OutsideFacts } from './outside-process.ts';

export interface ChaosOptions extends DisturbancesEvery {
  /** An empty database on a server of the run's own: one of its processes is killed, and it restarts. */
  readonly database: string;
  readonly workflows: number;
  readonly workers: number;
  readonly seed: number;
  /** From then on nothing is killed any more; 0: until the end. */
  readonly calmAfterMs: number;
  /** How long all of it may take. */
  readonly withinMs: number;
  /** A file to which the workers write what they do when. */
  readonly timeline?: string;
  readonly onProgress?: (line: string) => void;
}

export interface ChaosReport {
  readonly ok: boolean;
  /** The first hundred. */
  readonly findings: readonly string[];
  readonly workflows: number;
  readonly kills: number;
  readonly restarts: number;
  /** Workers that stood still until others had taken their lanes, and then went on. */
  readonly frozen: number;
  /** How often a worker's lanes were taken from it while it worked. */
  readonly robbed: number;
  /** Instances that were taken for what kills the process, and let go again. */
  readonly pardoned: number;
  readonly seconds: number;
}

const findingsMax = 100;
const batchSize = 20;
const lookMs = 250;

export const runChaos = (options: ChaosOptions): Promise<ChaosReport> => new ChaosRun(options).run();

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #findings: string[] = [];
  readonly #since = Date.now();
  #fleet: Fleet | undefined;
  #disturbances: Disturbances | undefined;
  #outsideUrl = '';
  #fed = 0;
  #pardoned = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  async run(): Promise<ChaosReport> {
    const { seed, workers, database, timeline } = this.#options;
    const outside = forkProgram('outside-process.ts', String(seed));
    const [{ port }] = (await once(outside, 'message')) as [{ port: number }];
    this.#outsideUrl = `http://127.0.0.1:${port}/`;
    const app = createFactline({
      name: 'chaos',
      database,
      consumers: [fulfilment(this.#outsideUrl)],
      contracts: [Ended],
      handleSignals: false,
    });
    try {
      await app.transaction((tx) => tx.query('create table bookings (order_id text not null)'));
      await this.#query(intruders);
      const told = {
        database,
        outsideUrl: this.#outsideUrl,
        ...(timeline === undefined ? {} : { timeline }),
      };
      const fleet = new Fleet(workers, told, (how) => this.#findings.push(how));
      this.#fleet = fleet;
      while (fleet.working.length < workers && !this.#late) await sleep(lookMs);
      const randomness = new SeededRandomness(seed);
      const query = (sql: string): Promise<readonly Record<string, unknown>[]> => this.#query(sql);
      this.#disturbances = new Disturbances({ ...this.#options, fleet, randomness, query });
      await this.#feed(app, this.#disturbances);
      await this.#untilEnded(this.#disturbances);
      await this.#disturbances.end();
      const facts = await this.#facts();
      this.#findings.push(...auditChaos(facts));
    } finally {
      await this.#disturbances?.end();
      this.#fleet?.stop();
      outside.kill('SIGKILL');
      await app.stop().catch(() => {});
    }
    const { kills = 0, restarts = 0, frozen = 0, robbed = 0 } = this.#disturbances ?? {};
    return {
      ok: this.#findings.length === 0,
      findings: this.#findings.slice(0, findingsMax),
      workflows: this.#fed,
      kills,
      restarts,
      frozen,
      robbed,
      pardoned: this.#pardoned,
      seconds: Math.round((Date.now() - this.#since) / 1000),
    };
  }

  /**
   * What begins and what confirms the orders; an answer that was lost with the server is asked for again, under one key. Most of them come
   * only after something of each kind has happened: a fast machine would have nothing to survive. But where those that came have all
   * ended there is nothing left to disturb either: then more come, over the wanted number if need be.
   */
  async #feed(app: Factline, disturbances: Disturbances): Promise<void> {
    const { workflows } = this.#options;
    while (this.#fed < workflows || !disturbances.haveHappened) {
      const length = this.#fed < workflows ? Math.min(batchSize, workflows - this.#fed) : batchSize;
      const numbers = Array.from({ length }, (_, index) => this.#fed + index);
      const data = (number: number) => ({ orderId: orderIdOf(number), number });
      const confirmed = numbers.filter((number) => fateOf(number) !== 'nobody confirms');
      // Some are confirmed before anybody waits for it.
      await this.#insist(() =>
        app.publish(numbers.map((number) => Ordered(data(number), { dedupeKey: `ordered ${number}` }))),
      );
      await this.#insist(() =>
        app.publish(confirmed.map((number) => Confirmed(data(number), { dedupeKey: `confirmed ${number}` }))),
      );
      this.#fed += length;
      while (!disturbances.haveHappened && (await this.#ended()) < this.#fed && !this.#late) {
        await this.#pardon().catch(() => {});
        await sleep(lookMs);
      }
      if (this.#late) return;
    }
  }

  /** How many instances have ended; none while the server restarts. */
  async #ended(): Promise<number> {
    const [row] = await this.#query(
      'select count(*)::int as ended from factline.workflow_instances where ended_at is not null',
    ).catch(() => []);
    return Number(row?.['ended'] ?? 0);
  }

  async #insist(act: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await act();
        return;
      } catch (error) {
        if (this.#late) throw error;
        await sleep(lookMs);
      }
    }
  }

  get #late(): boolean {
    return Date.now() - this.#since > this.#options.withinMs;
  }

  async #untilEnded(disturbances: Disturbances): Promise<void> {
    const { onProgress } = this.#options;
    let told = Date.now();
    for (;;) {
      if ((await this.#ended()) >= this.#fed) return;
      if (this.#late) {
        this.#findings.push(
          `after ${this.#options.withinMs} ms not all ${this.#fed} have ended: ${await this.#states()}`,
        );
        return;
      }
      await this.#pardon().catch(() => {});
      if (Date.now() - told > 5_000) {
        told = Date.now();
        onProgress?.(
          `${await this.#states()}; ${disturbances.kills} kills, ${disturbances.restarts} restarts`,
        );
      }
      await sleep(lookMs);
    }
  }

  async #states(): Promise<string> {
    const states = await this.#query(
      'select state, count(*)::int as count from factline.workflow_instances group by 1 order by 1',
    ).catch(() => [{ state: 'PostgreSQL is restarting', count: '' }]);
    return states.map(({ state, count }) => `${count} ${state}`).join(', ') || 'none has begun';
  }

  /** Whoever dies three times with the same instance parks it; here a person knows that it was not its fault. */
  async #pardon(): Promise<void> {
    await this.#connected(async (client) => {
      const { rows } = await client.query(
        `select i.id, i.consumer_id, c.name from factline.workflow_instances i join factline.consumers c on c.id = i.consumer_id
         where i.state = 'stuck' and i.stuck->>'reason' = 'killed the process'
           and not exists (select from factline.requests r where r.state = 'open' and (r.arguments->>'instance')::bigint = i.id)`,
      );
      for (const { id, consumer_id, name } of rows as { id: string; consumer_id: number; name: string }[]) {
        const consumer = { id: consumer_id, name };
        await sendRequest(client, {
          consumer,
          verb: 'retry',
          arguments: { instance: Number(id) },
          actor: 'chaos',
        });
        this.#pardoned += 1;
      }
    });
  }

  async #facts(): Promise<ChaosFacts> {
    await this.#insist(() => this.#query('select 1'));
    const instances = await this.#query(`
      select i.key as "orderId", i.state, i.result,
        array(select case when j.undo then 'undo ' else '' end || j.name || ' ' || j.state from factline.workflow_journal j
              where j.instance_id = i.id and j.kind in ('step', 'transaction')) as steps
      from factline.workflow_instances i`);
    const counts = async (sql: string): Promise<Map<string, number>> =>
      new Map((await this.#query(sql)).map((row) => [String(row['id']), Number(row['count'])]));
    const [parked] = await this.#query('select count(*)::int as count from factline.parked');
    return {
      workflows: this.#fed,
      instances: instances as unknown as ChaosFacts['instances'],
      bookings: await counts('select order_id as id, count(*) from bookings group by 1'),
      ended: await counts(
        `select data->>'orderId' as id, count(*) from factline.events where type = '${Ended.type}' group by 1`,
      ),
      outside: (await (await fetch(this.#outsideUrl)).json()) as OutsideFacts,
      parked: Number(parked?.['count']),
      intruders: (
        await this.#query(
          'select writer, owner, call, count(*)::int as count from intruders group by 1, 2, 3',
        )
      ).map(
        ({ writer, owner, call, count }) =>
          `${writer} has recorded ${call} in a lane of ${owner ?? 'nobody'} (${count} times)`,
      ),
    };
  }

  #query(sql: string): Promise<readonly Record<string, unknown>[]> {
    return this.#connected(async (client) => (await client.query(sql)).rows);
  }

  async #connected<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.#options.database,
      application_name: 'chaos audit',
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  }
}
