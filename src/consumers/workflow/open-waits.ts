import type { FactEvent } from '../../contracts/index.ts';
import type { Call, WaitRequest } from './calls.ts';
import type { ExecutionServices } from './execution-services.ts';
import type { LoadedInstance } from './instance.ts';
import { type Mailbox, openMail } from './mailbox.ts';

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
 * wait, the first in the code.
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

  close(ordinal: number): void {
    this.#open.delete(ordinal);
  }

  afterOf(ordinal: number): number {
    return this.#open.get(ordinal)?.after ?? this.#instance.startPosition;
  }

  /** Looks for the mail of all open waits, in a snapshot that begins now. */
  async look(): Promise<readonly Found[]> {
    const waits = [...this.#open].sort(([left], [right]) => left - right);
    const { id, workflowId } = this.#instance;
    const mail = await Promise.all(
      waits.map(([ordinal, { request, after }]) => {
        const { contract, key } = request;
        return this.#mailbox.read({
          instance: id,
          ordinal,
          workflow: workflowId,
          type: contract.type,
          key,
          after,
        });
      }),
    );
    const taken = new Set(this.#given);
    return waits.flatMap(([ordinal, wait], index): readonly Found[] => {
      const found = this.#choose(ordinal, { wait, mail: mail[index] ?? [], taken });
      return found === null ? [] : [found];
    });
  }

  #choose(
    ordinal: number,
    {
      wait,
      mail,
      taken,
    }: {
      readonly wait: OpenWait;
      readonly mail: Awaited<ReturnType<Mailbox['read']>>;
      readonly taken: Set<number>;
    },
  ): Found | null {
    for (const stored of mail) {
      if (taken.has(stored.position)) continue;
      try {
        const event = openMail(this.#services.contracts, stored);
        if (wait.request.where !== null && !wait.request.where(event)) continue;
        taken.add(stored.position);
        this.#given.add(stored.position);
        return { ordinal, event };
      } catch (error) {
        return { ordinal, event: null, error };
      }
    }
    return null;
  }
}
