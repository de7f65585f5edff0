import type { ActualOrder } from './actuals.ts';
import { equal, equalSets, type ParityCheck } from './check.ts';
import type { Reader } from './reader.ts';

// What must hold besides, where a workflow fulfils each order. An order whose amount the provider refuses has no final state:
// its workflow has failed, its stock is free again, and a person decides. That is this mode's quarantine.

interface InstanceRow {
  readonly orderId: string;
  readonly state: string;
  readonly failure: string | null;
  readonly outcome: string | null;
}

interface ParcelRow {
  readonly orderId: string;
  readonly state: string;
  readonly missed: boolean;
}

interface AuthorisationRow {
  readonly authorisationId: string;
  readonly ended: boolean;
}

/** Why the provider refuses a total of zero, in the words of the workflow's failure. */
const REFUSED = 'payment-provider: amount is zero';

export async function workflowChecks(pool: Reader, orders: readonly ActualOrder[]): Promise<ParityCheck[]> {
  const instances = await readInstances(pool);
  const parcels = await readParcels(pool);
  const authorisations = await readAuthorisations(pool);
  const undecided = orders.filter(({ shipped, stopped }) => !shipped && stopped === null);
  const refused = instances.filter(({ failure }) => failure === REFUSED);
  const cancelled = new Set(ids(orders, ({ stopped }) => stopped === 'cancelled'));
  const ended = new Map(instances.map((instance) => [instance.orderId, instance]));
  const agreeing = orders.filter((order) => agrees(order, ended.get(order.orderId)));
  return [
    equalSets(
      'workflows failed, stock released: amount is zero',
      new Set(undecided.map(({ orderId }) => orderId)),
      new Set(refused.map(({ orderId }) => orderId).filter((orderId) => !cancelled.has(orderId))),
    ),
    equal('workflows, one an order', orders.length, instances.length),
    equal('workflows that ended as their order did', orders.length, agreeing.length),
    equalSets(
      'authorisations captured or voided',
      new Set(authorisations.map(({ authorisationId }) => authorisationId)),
      new Set(authorisations.filter(({ ended }) => ended).map(({ authorisationId }) => authorisationId)),
    ),
    equalSets(
      'orders shipped = parcels collected',
      new Set(ids(orders, ({ shipped }) => shipped)),
      new Set(ids(parcels, ({ state }) => state === 'collected')),
    ),
    equalSets(
      'orders not collected = parcels that the carrier missed, or brought back',
      new Set(ids(parcels, ({ missed, state, orderId }) => isLost(missed, state) && !cancelled.has(orderId))),
      new Set(ids(orders, ({ stopped }) => stopped === 'not collected')),
    ),
  ];
}

/** Whether the workflow says of the order what the boxes' tables say. */
function agrees({ shipped, stopped, reservation }: ActualOrder, instance: InstanceRow | undefined): boolean {
  if (instance === undefined) return false;
  const { state, failure, outcome } = instance;
  if (shipped) return state === 'completed' && outcome === 'shipped';
  if (reservation === 'reserved') return false;
  if (stopped === null) return state === 'failed' && failure === REFUSED;
  if (stopped !== 'cancelled') return state === 'failed' && failure === stopped;
  // It was cancelled before it began, on its way, or when something else had ended it already.
  if (state === 'completed') return outcome === 'cancelled before it began';
  return state === 'cancelled' || state === 'failed';
}

/** A van that comes when the time is up has to bring the parcel back. */
const isLost = (missed: boolean, state: string): boolean => missed || state === 'brought back';

function ids<Row extends { readonly orderId: string }>(
  rows: readonly Row[],
  wanted: (row: Row) => boolean,
): string[] {
  return rows.filter(wanted).map(({ orderId }) => orderId);
}

async function readInstances(pool: Reader): Promise<InstanceRow[]> {
  const { rows } = await pool.query<InstanceRow>(`
    select i.key as "orderId", i.state, i.failure ->> 'message' as failure, i.result ->> 'outcome' as outcome
    from factline.workflow_instances i join factline.consumers c on c.id = i.workflow_id
    where c.name = 'fulfil-order'`);
  return rows;
}

async function readParcels(pool: Reader): Promise<ParcelRow[]> {
  const { rows } = await pool.query<ParcelRow>(
    'select order_id as "orderId", state, missed from carrier.parcels',
  );
  return rows;
}

/** What the provider has set aside for an order is captured or let go, never forgotten. */
async function readAuthorisations(pool: Reader): Promise<AuthorisationRow[]> {
  const { rows } = await pool.query<AuthorisationRow>(`
    select a.reference as "authorisationId",
      exists (select from payment_provider.ledger e where e.charge = a.reference and e.kind in ('capture', 'void')) as ended
    from payment_provider.ledger a where a.kind = 'authorisation' and a.status = 'authorised'`);
  return rows;
}
