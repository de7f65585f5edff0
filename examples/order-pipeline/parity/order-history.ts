import type { Mode } from '../options.ts';
import type { ExportedEvent } from './exported-events.ts';

/** What has happened to one order so far, as far as it decides what may happen next. */
interface Story {
  readonly seen: Set<string>;
  readonly cancellations: Set<string>;
  readonly returned: Set<string>;
  whole: boolean;
  paid: number;
  refunded: number;
}

interface Rule {
  /** All of these must have happened before. */
  readonly after?: readonly string[];
  /** None of these may have happened before. */
  readonly never?: readonly string[];
  readonly many?: boolean;
}

const PLACED = 'orders.order.placed.v1';
const CANCELLED = 'orders.order.cancelled.v1';
const RESERVED = 'inventory.stock.reserved.v1';
const REFUSED = 'inventory.stock.refused.v1';
const RELEASED = 'inventory.stock.released.v1';
const RETURNED = 'inventory.stock.returned.v1';
const CAPTURED = 'payments.payment.captured.v1';
const DECLINED = 'payments.payment.declined.v1';
const REFUNDED = 'payments.payment.refunded.v1';
const PACKED = 'fulfilment.order.packed.v1';
const STOPPED = 'fulfilment.order.stopped.v1';
const SHIPPED = 'shipping.order.shipped.v1';
const PICKUP_REQUESTED = 'shipping.pickup.requested.v1';
const PICKUP_WITHDRAWN = 'shipping.pickup.withdrawn.v1';
const COLLECTED = 'carrier.parcel.collected.v1';

type Rules = Readonly<Record<string, Rule>>;

const CHOREOGRAPHED: Rules = {
  [PLACED]: {},
  [CANCELLED]: { after: [PLACED], many: true },
  [RESERVED]: { after: [PLACED], never: [REFUSED] },
  [REFUSED]: { after: [PLACED], never: [RESERVED] },
  [CAPTURED]: { after: [PLACED], never: [DECLINED] },
  [DECLINED]: { after: [PLACED], never: [CAPTURED] },
  [PACKED]: { after: [RESERVED, CAPTURED], never: [STOPPED] },
  [STOPPED]: { after: [PLACED], never: [PACKED, SHIPPED] },
  [SHIPPED]: { after: [PACKED], never: [STOPPED] },
  [RELEASED]: { after: [RESERVED, STOPPED], never: [SHIPPED] },
  [RETURNED]: { after: [SHIPPED, CANCELLED], many: true },
  [REFUNDED]: { after: [CAPTURED], many: true },
};

/** The workflow goes one way, one step after the other, and on its way back undoes what it did, the last first. */
const ORCHESTRATED: Rules = {
  ...CHOREOGRAPHED,
  [CAPTURED]: { after: [RESERVED], never: [DECLINED, RELEASED] },
  [DECLINED]: { after: [RESERVED], never: [CAPTURED, RELEASED] },
  [PACKED]: { after: [RESERVED, CAPTURED], never: [STOPPED, RELEASED] },
  [PICKUP_REQUESTED]: { after: [PACKED], never: [STOPPED, RELEASED] },
  [PICKUP_WITHDRAWN]: { after: [PICKUP_REQUESTED], never: [SHIPPED] },
  [COLLECTED]: { after: [PICKUP_REQUESTED] },
  [SHIPPED]: { after: [PACKED, COLLECTED], never: [STOPPED, RELEASED, PICKUP_WITHDRAWN] },
  [STOPPED]: { after: [PLACED], never: [SHIPPED] },
  [RELEASED]: { after: [RESERVED], never: [SHIPPED] },
};

const RULES: Readonly<Record<Mode, Rules>> = { choreographed: CHOREOGRAPHED, orchestrated: ORCHESTRATED };

/** Follows every order through its events and names the transitions that cannot be. */
export class OrderHistory {
  readonly #stories = new Map<string, Story>();
  readonly impossible: string[] = [];
  readonly #rules: Rules;

  constructor(mode: Mode) {
    this.#rules = RULES[mode];
  }

  add({ type, data }: ExportedEvent): void {
    const rule = this.#rules[type];
    const orderId = data['orderId'];
    if (rule === undefined || typeof orderId !== 'string') return;
    const story = this.#stories.get(orderId) ?? newStory();
    this.#stories.set(orderId, story);
    const fault = faultOf(story, type, rule) ?? bookkeepingFault(story, type, data);
    if (fault !== null) this.impossible.push(`order ${orderId}: ${type} ${fault}`);
    story.seen.add(type);
  }
}

function newStory(): Story {
  return {
    seen: new Set(),
    cancellations: new Set(),
    returned: new Set(),
    whole: false,
    paid: 0,
    refunded: 0,
  };
}

function faultOf(
  { seen }: Story,
  type: string,
  { after = [], never = [], many = false }: Rule,
): string | null {
  if (!many && seen.has(type)) return 'a second time';
  const missing = after.find((needed) => !seen.has(needed));
  if (missing !== undefined) return `before ${missing}`;
  const forbidden = never.find((excluded) => seen.has(excluded));
  return forbidden === undefined ? null : `after ${forbidden}`;
}

/** Money and cancellations: no more back than was paid, nothing cancelled after all of it, each return once. */
function bookkeepingFault(story: Story, type: string, data: ExportedEvent['data']): string | null {
  const pence = Number(data['pence'] ?? 0);
  const cancellation = String(data['cancellationId'] ?? '');
  switch (type) {
    case CANCELLED: {
      const again = story.whole || story.cancellations.has(cancellation);
      story.cancellations.add(cancellation);
      story.whole ||= data['whole'] === true;
      return again ? 'of what had been cancelled' : null;
    }
    case RETURNED: {
      const wrong = !story.cancellations.has(cancellation) || story.returned.has(cancellation);
      story.returned.add(cancellation);
      return wrong ? `for cancellation ${cancellation}` : null;
    }
    case STOPPED: {
      const reason = data['reason'];
      const known =
        (reason === 'cancelled' && story.whole) ||
        (reason === 'payment declined' && story.seen.has(DECLINED)) ||
        (reason === 'out of stock' && story.seen.has(REFUSED)) ||
        (reason === 'not collected' && story.seen.has(PICKUP_WITHDRAWN));
      return known ? null : `because ${String(reason)}, which it was not`;
    }
    case CAPTURED:
      story.paid += pence;
      return null;
    case REFUNDED:
      story.refunded += pence;
      return story.refunded > story.paid ? 'of more than was paid' : null;
    default:
      return null;
  }
}
