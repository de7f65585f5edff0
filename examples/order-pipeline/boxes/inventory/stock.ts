import type { Tx } from 'factline';

/** Units of one product. */
export interface Units {
  readonly product: string;
  readonly quantity: number;
}

/** A product that nobody has counted yet is taken to be on the shelf in this number. */
const INITIAL_UNITS = 1_000_000;

/**
 * Goods begin with five digits. Everything else that the feed sells under a code (`POST`, `DOT`, `M`, `BANK CHARGES`,
 * gift vouchers) is charged but lies on no shelf.
 */
export function goodsOf(lines: readonly Units[]): Units[] {
  const units = new Map<string, number>();
  for (const { product, quantity } of lines) {
    if (/^\d{5}/.test(product)) units.set(product, (units.get(product) ?? 0) + quantity);
  }
  return [...units].map(([product, quantity]) => ({ product, quantity }));
}

export function countUnits(lines: readonly Units[]): number {
  return lines.reduce((sum, { quantity }) => sum + quantity, 0);
}

/** Opens the books for products that were never seen before. */
export async function openProducts(
  tx: Tx,
  products: readonly string[],
  initial: number = INITIAL_UNITS,
): Promise<void> {
  await tx.query(
    `insert into inventory.stock (product, initial, on_hand)
     select w.product, $2::bigint, $2::bigint from unnest($1::text[]) as w(product)
     where not exists (select from inventory.stock s where s.product = w.product)
     order by w.product on conflict (product) do nothing`,
    [products, initial],
  );
}

/** Reserves all of it or nothing; returns the products of which there is not enough. */
export async function reserve(tx: Tx, orderId: string, goods: readonly Units[]): Promise<string[]> {
  const { rows } = await tx.query(
    `with wanted as (
       select * from jsonb_to_recordset($2::jsonb) as w(product text, quantity bigint)
     ), locked as (
       select s.product, w.quantity, s.on_hand - s.reserved as available
       from inventory.stock s join wanted w on w.product = s.product
       order by s.product for update of s
     ), missing as (
       select w.product from wanted w left join locked l on l.product = w.product
       where l.product is null or l.available < w.quantity
     ), changed as (
       update inventory.stock s set reserved = s.reserved + l.quantity
       from locked l where s.product = l.product and not exists (select from missing)
     ), noted as (
       insert into inventory.reservations (order_id, state, lines)
       select $1, case when exists (select from missing) then 'refused' else 'reserved' end, $2::jsonb
     )
     select product from missing order by product`,
    [orderId, JSON.stringify(goods)],
  );
  return (rows as Units[]).map(({ product }) => product);
}

/** Moves units on the shelf; rows are locked in the order of their products, so two orders cannot block each other. */
export async function moveStock(
  tx: Tx,
  goods: readonly Units[],
  sign: { readonly onHand: -1 | 0 | 1; readonly reserved: -1 | 0 },
): Promise<void> {
  if (goods.length === 0) return;
  await tx.query(
    `with locked as (
       select s.product, w.quantity
       from inventory.stock s
       join jsonb_to_recordset($1::jsonb) as w(product text, quantity bigint) on w.product = s.product
       order by s.product for update of s
     )
     update inventory.stock s
     set on_hand = s.on_hand + $2::integer * l.quantity, reserved = s.reserved + $3::integer * l.quantity
     from locked l where s.product = l.product`,
    [JSON.stringify(goods), sign.onHand, sign.reserved],
  );
}
