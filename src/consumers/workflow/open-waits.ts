import type { FactEvent } from '../../contracts/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { Call, WaitRequest } from './calls.ts';
import type { ExecutionServices } from './execution-services.ts';
import type { WaitRow } from './flush-job.ts';
import type { LoadedInstance } from './instance.ts';
import { positionOf } from './journal-check.ts';
import { type Mailbox, type MailRequest, mailPageMax, openMail } from './mailbox.ts';

/** An event for a wait, or what its `where` threw. */
export interface Found {
  readonly ordinal: number;
  readonly event: FactEvent | null;
  readonly error?: unknown;
}

interface OpenWait {
  readonly request: WaitRequest;
  /** What came up to here it has seen, or its `where` has rejected. */
  after: number;
  /** What of this is on record. */
  stored: number;
}

/**
 * The open waits of one instance. Each sees the events of its type and key in order, from where it began; one event goes to one
 * wait, the first in the code. Of looks that overlap the later one gives nothing to a wait that has its result, and does not ask
 * again for what was rejected; how far each has looked goes on record when the instance rests.
 */
export class OpenWaits {
  readonly #services: ExecutionServices;
  readonly #instance: LoadedInstance;
  readonly #mailbox: Mailbox;
  readonly #onFound: (found: Found) => void;
  /** The instance is not worked here any more: nobody needs an answer. */
  readonly #gone: () => boolean;
  /** Whose time limit has come, while it is asked whether their event is on its way. */
  readonly #expiring = new Set<number>();
  readonly #open = new Map<number, OpenWait>();
  /** Positions that this instance has got. */
  readonly #given = new Set<number>();

  constructor(
    services: ExecutionServices,
    instance: LoadedInstance,
    { onFound, gone }: { readonly onFound: (found: Found) => void; readonly gone: () => boolean },
  ) {
    this.#onFound = onFound;
    this.#gone = gone;
    this.#services = services;
    this.#instance = instance;
    this.#mailbox = services.mailbox;
    for (const { kind, state, value } of instance.journal) {
      const position = kind === 'wait' && state === 'done' ? positionOf(value) : null;
      if (position !== null) this.#given.add(position);
    }
  }

  get size(): number {
    return this.#open.size;
  }

  open({ ordinal }: Call, request: WaitRequest): void {
    const { startPosition, waits } = this.#instance;
    const looked = waits.find((wait) => wait.ordinal === ordinal)?.after ?? 0;
    const after = Math.max(request.afterPosition, startPosition, looked);
    this.#open.set(ordinal, { request, after, stored: after });
  }

  has(ordinal: number): boolean {
    return this.#open.has(ordinal);
  }

  close(ordinal: number): void {
    this.#open.delete(ordinal);
  }

  /** A wait as it is recorded. */
  rowOf(ordinal: number): WaitRow {
    const { request, after } = this.#open.get(ordinal) as OpenWait;
    return { ordinal, type: request.contract.type, key: request.key, after, open: true };
  }

  /** Closes all; answers what is to be recorded of it. */
  closeAll(): readonly WaitRow[] {
    const rows = [...this.#open.keys()].map((ordinal) => ({ ...this.rowOf(ordinal), open: false }));
    this.#open.clear();
    return rows;
  }

  /** Those that have looked further than when this was asked before: to be recorded. */
  moved(): readonly WaitRow[] {
    return [...this.#open].flatMap(([ordinal, wait]) => {
      if (wait.after === wait.stored) return [];
      wait.stored = wait.after;
      return [this.rowOf(ordinal)];
    });
  }

  /**
   * Looks for the mail of all open waits, in snapshots that begin now. A wait that finds something is closed and told in one turn:
   * whoever looks meanwhile sees either an open wait or its result.
   */
  async look(): Promise<void> {
    if (this.#open.size === 0) return;
    const { testStep } = this.#services.runner;
    await testStep?.('workflow.before-look');
    await this.#look();
    await testStep?.('workflow.after-look');
  }

  async #look(): Promise<void> {
    let waits = [...this.#open].sort(([left], [right]) => left - right);
    while (waits.length > 0) {
      const pages = await Promise.all(
        waits.map((each) => this.#mailbox.read(this.#requestOf(each), this.#gone)),
      );
      waits = waits.filter(([ordinal, wait], index) => {
        if (this.#open.get(ordinal) !== wait) return false;
        const page = pages[index] ?? [];
        const found = this.#choose(ordinal, wait, page);
        if (found === null) return page.length === mailPageMax;
        this.close(ordinal);
        this.#onFound(found);
        return false;
      });
    }
  }

  /** Whether the time limit of one has come, and nobody knows yet whether its event came before. */
  get expiring(): boolean {
    return this.#expiring.size > 0;
  }

  /**
   * The time limit of a wait has come. What was committed before counts, also when the router has not come so far: then the wait
   * goes on a little (`expected`). Asked in this order, an event that is delivered meanwhile is found by the look. Null: it has
   * its result, or is being asked about.
   */
  async expire(ordinal: number): Promise<'over' | 'expected' | null> {
    const wait = this.#open.get(ordinal);
    if (wait === undefined || this.#expiring.has(ordinal)) return null;
    this.#expiring.add(ordinal);
    try {
      const isExpected = await this.#mailbox.isOnItsWay(this.#requestOf([ordinal, wait]), this.#gone);
      await this.look();
      if (this.#open.get(ordinal) !== wait) return null;
      if (isExpected) return 'expected';
      this.close(ordinal);
      return 'over';
    } finally {
      this.#expiring.delete(ordinal);
    }
  }

  #requestOf([ordinal, { request, after }]: readonly [number, OpenWait]): MailRequest {
    const { id, workflowId } = this.#instance;
    const { contract, key } = request;
    return { instance: id, ordinal, workflow: workflowId, type: contract.type, key, after };
  }

  #choose(ordinal: number, wait: OpenWait, mail: readonly StoredEvent[]): Found | null {
    for (const stored of mail) {
      const { position } = stored;
      if (position <= wait.after) continue;
      try {
        const event = this.#given.has(position) ? null : openMail(this.#services.contracts, stored);
        if (event !== null && (wait.request.where?.(event) ?? true)) {
          this.#given.add(position);
          return { ordinal, event };
        }
      } catch (error) {
        return { ordinal, event: null, error };
      }
      wait.after = position;
    }
    return null;
  }
}
