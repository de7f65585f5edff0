import pg from 'pg';

/** Events written by hand, as any SQL of a user could: what the reader must cope with. */
const columns = 'id, type, source, key, key_hash, data, meta, time';
const row = `gen_random_uuid(), 'test.event.v1', 'test', 'orderId=' || n, n, '{}', '{"subject":"x","correlationId":"c"}', now()`;

export const insertText = (count = 1): string =>
  `insert into factline.events (${columns}) select ${row} from generate_series(1, ${count}) n returning position`;

/** Into one partition, past the root. */
export const insertIntoLeafText = (leaf: string): string =>
  `insert into factline.${leaf} (position, ${columns}) overriding system value
   select nextval('factline.events_position_seq'), ${row} from generate_series(1, 1) n returning position`;

export const insertAtText = (position: number): string =>
  `insert into factline.events (position, ${columns}) overriding system value
   select ${position}, ${row} from generate_series(1, 1) n returning position`;

export const mergeText = `merge into factline.events e using (select 1 as n) s on false
  when not matched then insert (${columns}) values (gen_random_uuid(), 'test.event.v1', 'test', 'orderId=m', 1, '{}', '{"subject":"x","correlationId":"c"}', now())`;

/** One connection that writes, with its transaction spelled out. */
export class Writer {
  readonly client: pg.Client;

  constructor(client: pg.Client) {
    this.client = client;
  }

  static async connect(url: string): Promise<Writer> {
    const client = new pg.Client({ connectionString: url, application_name: 'writer' });
    client.on('error', () => {});
    await client.connect();
    return new Writer(client);
  }

  async sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
    return (await this.client.query(text, values)).rows as Record<string, unknown>[];
  }

  async insert(count = 1): Promise<number[]> {
    return (await this.sql(insertText(count))).map(({ position }) => Number(position));
  }

  /** Opens a transaction and inserts. */
  async open(count = 1): Promise<number[]> {
    await this.sql('begin');
    return this.insert(count);
  }

  async processId(): Promise<number> {
    return Number((await this.sql('select pg_backend_pid() as pid'))[0]?.['pid']);
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => {});
  }
}
