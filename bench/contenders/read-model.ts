import type pg from 'pg';

/* The read model that everybody who has no tables of their own for it fills: orders and pence per customer. */
export const spendTable =
  'create table spend (customer_id text primary key, orders int not null, pence bigint not null)';

export const upsertOneInto = (table: string): string =>
  `insert into ${table} values ($1, 1, $2) on conflict (customer_id) do update
     set orders = ${table}.orders + 1, pence = ${table}.pence + excluded.pence`;

export const upsertOne: string = upsertOneInto('spend');

/** Arrays of customers, orders and pence. */
export const upsertMany = `insert into spend select * from unnest($1::text[], $2::int[], $3::bigint[])
  on conflict (customer_id) do update set orders = spend.orders + excluded.orders, pence = spend.pence + excluded.pence`;

/** A batch of orders as the values of `upsertMany`. */
export const foldOrders = (
  batch: readonly { readonly customerId: string; readonly pence: number }[],
): [string[], number[], number[]] => {
  const sums = new Map<string, { orders: number; pence: number }>();
  for (const { customerId, pence } of batch) {
    const sum = sums.get(customerId) ?? { orders: 0, pence: 0 };
    sum.orders += 1;
    sum.pence += pence;
    sums.set(customerId, sum);
  }
  const values = [...sums.values()];
  return [[...sums.keys()], values.map(({ orders }) => orders), values.map(({ pence }) => pence)];
};

/** How many of the events are missing in the read model, and how many are in it twice. */
export const auditSpend = async (
  pool: pg.Pool,
  events: number,
  table = 'spend',
): Promise<{ lost: number; doubled: number }> => {
  const { rows } = await pool.query<{ orders: number }>(
    `select coalesce(sum(orders), 0)::int as orders from ${table}`,
  );
  const orders = Number(rows[0]?.orders ?? 0);
  return { lost: Math.max(0, events - orders), doubled: Math.max(0, orders - events) };
};
