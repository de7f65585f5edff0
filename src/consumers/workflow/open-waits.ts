import type { FactEvent } from '../../contracts/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { Call, WaitRequest } from './calls.ts';
import type { ExecutionServices } from './execution-services.ts';
import type { LoadedInstance } from './instance.ts';
import { type Mailbox, type MailRequest, openMail } from './mailbox.ts';

/** An event for a wait, or what its `where` threw. */
export interface Found {
  readonly ordinal: number;
  readonly event: FactEvent | null;
  readonly error?: unknown;
}

interface OpenWait {
  readonly request: WaitRequest;
  after: number;
}

/**
 * The open waits of one instance. Each sees the events of its type and key in order, from where it began; one event goes to one
 * wait, the first in the code. A wait closes as soon as its result is known: of looks that overlap, the later one gives it nothing.
 */
export class OpenWaits {
  readonly #services: ExecutionServices;
  readonly #instance: LoadedInstance;
  readonly #mailbox: Mailbox;
  readonly #open = new Map<number, OpenWait>();
  /** Positions that this instance has got. */
  readonly #given = new Set<number>();

  constructor(services: ExecutionServices, instance: LoadedInstance) {
    this.#services = services;
    this.#instance = instance;
    this.#mailbox = services.mailbox;
    for (const { kind, state, value } of instance.journal) {
      if (kind !== 'wait' || state !== 'done' || value === null) continue;
      this.#given.add((value as FactEvent).position);
    }
  }

  get size(): number {
    return this.#open.size;
  }

  open({ ordinal }: Call, request: WaitRequest): void {
    const after = Math.max(request.afterPosition, this.#instance.startPosition);
    this.#open.set(ordinal, { request, after });
  }

  has(ordinal: number): boolean {
    return this.#open.has(ordinal);
  }

  close(ordinal: number): void {
    this.#open.delete(ordinal);
  }

  afterOf(ordinal: number): number {
    return this.#open.get(ordinal)?.after ?? this.#instance.startPosition;
  }

  /** Looks for the mail of all open waits, in a snapshot that begins now. Those that found something are closed. */
  async look(): Promise<readonly Found[]> {
    const waits = [...this.#open].sort(([left], [right]) => left - right);
    const mail = await Promise.all(waits.map((each) => this.#mailbox.read(this.#requestOf(each))));
    return waits.flatMap(([ordinal, wait], index): readonly Found[] => {
      if (this.#open.get(ordinal) !== wait) return [];
      const found = this.#choose(ordinal, wait, mail[index] ?? []);
      if (found === null) return [];
      this.close(ordinal);
      return [found];
    });
  }

  /** Whether an event may be on its way to this wait, which has reached its time limit. */
  async isExpecting(ordinal: number): Promise<boolean> {
    const wait = this.#open.get(ordinal);
    return wait !== undefined && (await this.#mailbox.isOnItsWay(this.#requestOf([ordinal, wait])));
  }

  #requestOf([ordinal, { request, after }]: readonly [number, OpenWait]): MailRequest {
    const { id, workflowId } = this.#instance;
    const { contract, key } = request;
    return { instance: id, ordinal, workflow: workflowId, type: contract.type, key, after };
  }

  #choose(ordinal: number, wait: OpenWait, mail: readonly StoredEvent[]): Found | null {
    for (const stored of mail) {
      if (this.#given.has(stored.position)) continue;
      try {
        const event = openMail(this.#services.contracts, stored);
        if (wait.request.where !== null && !wait.request.where(event)) continue;
        this.#given.add(stored.position);
        return { ordinal, event };
      } catch (error) {
        return { ordinal, event: null, error };
      }
    }
    return null;
  }
}
