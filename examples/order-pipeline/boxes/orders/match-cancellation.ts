/** Units of an order that the customer could still cancel. */
export interface OpenLine {
  readonly orderId: string;
  /** The order's; a customer may have ordered from two. */
  readonly country: string;
  readonly line: number;
  readonly product: string;
  readonly open: number;
  readonly unitPence: number;
}

export interface CancelledLine {
  readonly product: string;
  readonly quantity: number;
}

export type LineRejection = 'no earlier order' | 'more than is left open';

export interface TakenUnits {
  readonly cancellationLine: number;
  readonly orderId: string;
  readonly country: string;
  readonly orderLine: number;
  readonly product: string;
  readonly units: number;
  readonly unitPence: number;
}

export interface Match {
  readonly taken: readonly TakenUnits[];
  readonly rejected: ReadonlyArray<{ readonly line: number; readonly reason: LineRejection }>;
}

/**
 * Finds the orders that a cancellation means. It does not name them: it names a customer (whose open lines these are),
 * products and quantities. A line is accepted whole or rejected whole; it takes from the newest order first, since what
 * comes back is most likely what was bought last, and may be spread over several orders.
 *
 * @param open the customer's open lines of these products, the newest order first
 */
export function matchCancellation(lines: readonly CancelledLine[], open: readonly OpenLine[]): Match {
  const left = new Map(open.map((line) => [line, line.open]));
  const taken: TakenUnits[] = [];
  const rejected: Array<{ line: number; reason: LineRejection }> = [];
  lines.forEach(({ product, quantity }, index) => {
    const candidates = open.filter((line) => line.product === product);
    const available = candidates.reduce((sum, line) => sum + (left.get(line) ?? 0), 0);
    if (available < quantity) {
      const reason = candidates.length === 0 ? 'no earlier order' : 'more than is left open';
      rejected.push({ line: index + 1, reason });
      return;
    }
    let wanted = quantity;
    for (const line of candidates) {
      const units = Math.min(wanted, left.get(line) ?? 0);
      if (units === 0) continue;
      const { orderId, country, line: orderLine, unitPence } = line;
      taken.push({ cancellationLine: index + 1, orderId, country, orderLine, product, units, unitPence });
      left.set(line, (left.get(line) ?? 0) - units);
      wanted -= units;
    }
  });
  return { taken, rejected };
}
