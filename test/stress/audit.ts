/** What one reader has delivered, as far as it has arrived here. */
export class ReaderAudit {
  readonly name: string;
  readonly delivered = new Set<number>();
  upTo = 0;
  repeated = 0;
  disordered = 0;
  readonly alarms: string[] = [];
  longestSilenceMs = 0;
  #heardAt = 0;
  #last = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(positions: readonly number[], upTo: number, now: number): void {
    for (const position of positions) {
      if (this.delivered.has(position)) this.repeated += 1;
      else if (position <= this.#last) this.disordered += 1;
      this.delivered.add(position);
      this.#last = Math.max(this.#last, position);
    }
    this.upTo = Math.max(this.upTo, upTo);
    if (this.#heardAt > 0) this.longestSilenceMs = Math.max(this.longestSilenceMs, now - this.#heardAt);
    this.#heardAt = now;
  }

  /** Whether it has passed this committed position without delivering it. */
  lacks(position: number): boolean {
    return position <= this.upTo && !this.delivered.has(position);
  }

  /** The silence of a process that was killed on purpose is not a stall. */
  restarted(): void {
    this.#heardAt = 0;
  }
}

export interface ReaderVerdict {
  readonly name: string;
  readonly control: boolean;
  readonly delivered: number;
  readonly missing: number;
  readonly foreign: number;
  readonly repeated: number;
  readonly disordered: number;
  readonly reachedEnd: boolean;
  readonly longestSilenceMs: number;
  readonly alarms: readonly string[];
  /** Of a sound reader: nothing is wrong. Of a control: it was caught. */
  readonly ok: boolean;
}

/** `committed`: the positions in the table; the truth, as nothing ever deletes. */
export const judge = (
  reader: ReaderAudit,
  facts: { readonly committed: readonly number[]; readonly barrier: number; readonly control: boolean },
): ReaderVerdict => {
  const committed = new Set(facts.committed);
  const missing = facts.committed.filter((position) => reader.lacks(position)).length;
  const foreign = [...reader.delivered].filter((position) => !committed.has(position)).length;
  const reachedEnd = reader.upTo >= facts.barrier;
  const flawless =
    missing === 0 &&
    foreign === 0 &&
    reader.repeated === 0 &&
    reader.disordered === 0 &&
    reader.alarms.length === 0;
  return {
    name: reader.name,
    control: facts.control,
    delivered: reader.delivered.size,
    missing,
    foreign,
    repeated: reader.repeated,
    disordered: reader.disordered,
    reachedEnd,
    longestSilenceMs: Math.round(reader.longestSilenceMs),
    alarms: reader.alarms,
    ok: facts.control ? missing > 0 : flawless && reachedEnd,
  };
};
