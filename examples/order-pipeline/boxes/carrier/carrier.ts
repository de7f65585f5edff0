import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineHandler, type Tx } from 'factline';
import { ParcelCollected, PickupRequested, PickupWithdrawn } from '../../contracts/index.ts';

/** How the carrier works: how long its van takes, in milliseconds, and how many parcels in a hundred it misses. */
export interface CarrierBehaviour {
  readonly latencyMs: readonly [number, number];
  readonly missesPercent: number;
}

/** A simulated carrier: its van comes when it is asked to, or misses the parcel; which ones follows from their numbers. */
export function carrier({ latencyMs: [from, to], missesPercent }: CarrierBehaviour) {
  return defineHandler({
    name: 'carrier',
    owner: 'carrier',
    on: [PickupRequested, PickupWithdrawn],
    reads: ['trackingNumber', 'orderId'],
    startAt: 'beginning',
    concurrency: 8,
    handle: async (event, { transaction, signal }) => {
      const { trackingNumber, orderId } = event.data;
      if (PickupWithdrawn.is(event)) return transaction((tx) => leave(tx, trackingNumber));
      const missed = misses(missesPercent, trackingNumber);
      const ms = from + Math.random() * (to - from);
      if (!missed && ms > 0) await sleep(ms, undefined, { signal });
      await transaction(async (tx) => {
        await tx.query(
          'insert into carrier.parcels (tracking_number, order_id, state, missed) values ($1, $2, $3, $4)',
          [trackingNumber, orderId, missed ? 'ready' : 'collected', missed],
        );
        if (!missed) tx.publish(ParcelCollected({ trackingNumber, orderId }));
      });
    },
  });
}

/** What the carrier answers when it is asked, instead of waiting for its news. */
export async function hasCollected(tx: Pick<Tx, 'query'>, trackingNumber: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `select from carrier.parcels where tracking_number = $1 and state = 'collected'`,
    [trackingNumber],
  );
  return rowCount === 1;
}

/** The van does not come, or brings back what it has taken along. */
async function leave(tx: Tx, trackingNumber: string): Promise<void> {
  await tx.query(
    `update carrier.parcels set state = case state when 'collected' then 'brought back' else 'withdrawn' end
     where tracking_number = $1`,
    [trackingNumber],
  );
}

function misses(percent: number, trackingNumber: string): boolean {
  return createHash('sha256').update(trackingNumber).digest().readUInt32BE(0) % 100 < percent;
}
