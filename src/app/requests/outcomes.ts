import { type DeliveredEvent, type Delivery, readDeliveries } from '../../operations/index.ts';
import type { Queryable } from '../../postgres/index.ts';

/** What is known of a command that was not answered in time. */
export interface Outcome {
  readonly state: Delivery['state'] | 'no handler' | 'unknown';
  readonly consumer: string | null;
  /** The number for `factline quarantine show`. */
  readonly parkedId: number | null;
  /** Why the last attempt failed. */
  readonly reason: string | null;
  /** In words. */
  readonly known: string;
}

const because = ({ reason }: Delivery): string => (reason === null ? '' : `: ${reason}`);

const sentences: Readonly<Record<Delivery['state'], (delivery: Delivery) => string>> = {
  handled: ({ consumer }) => `${consumer} has handled it without a reply`,
  pending: ({ consumer }) => `${consumer} has not handled it yet`,
  'before its start': ({ consumer }) => `${consumer} was registered after it was sent, and began behind it`,
  running: ({ consumer }) => `${consumer} is still at it`,
  retrying: (delivery) => `${delivery.consumer} has failed and will try again${because(delivery)}`,
  waiting: ({ consumer }) => `${consumer} holds it back behind an earlier event of its key that failed`,
  quarantined: (delivery) =>
    `${delivery.consumer} has failed, and it is in quarantine as ${delivery.parkedId}${because(delivery)}`,
};

const outcomeOf = (deliveries: readonly Delivery[]): Outcome => {
  const delivery = deliveries.find((each) => each.class !== 'projection');
  if (delivery === undefined)
    return {
      state: 'no handler',
      consumer: null,
      parkedId: null,
      reason: null,
      known: 'no handler of it is registered in this database',
    };
  const { state, consumer, parkedId, reason } = delivery;
  return { state, consumer, parkedId, reason, known: sentences[state](delivery) };
};

/** When a handler is down many requests run out of time at once: what became of them is asked in few statements. */
const batchMax = 1_000;

interface Asked {
  readonly event: DeliveredEvent;
  readonly answer: (outcome: Outcome) => void;
}

export class Outcomes {
  readonly #on: Queryable;
  readonly #asked: Asked[] = [];
  #asking = false;

  constructor(on: Queryable) {
    this.#on = on;
  }

  of(event: DeliveredEvent): Promise<Outcome> {
    return new Promise((answer) => {
      this.#asked.push({ event, answer });
      if (!this.#asking) void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    // Those that run out in the same turn of the event loop come along.
    await Promise.resolve();
    while (this.#asked.length > 0) {
      const batch = this.#asked.splice(0, batchMax);
      const read = await this.#read(batch.map(({ event }) => event));
      for (const { event, answer } of batch) answer(read(event));
    }
    this.#asking = false;
  }

  /** Never rejects: the time is up, whether the database can say why or not. */
  async #read(events: readonly DeliveredEvent[]): Promise<(event: DeliveredEvent) => Outcome> {
    try {
      const deliveries = await readDeliveries(this.#on, events);
      return ({ position }) => outcomeOf(deliveries.get(position) ?? []);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const known = `what became of it could not be read: ${reason}`;
      return () => ({ state: 'unknown', consumer: null, parkedId: null, reason, known });
    }
  }
}
