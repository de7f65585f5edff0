/** One lane of a consumer at one moment; ages in milliseconds by the database's clock. */
export interface LaneFacts {
  readonly lane: number;
  readonly checkpoint: number;
  /** Since the checkpoint last moved. */
  readonly movedMs: number;
  /** The living process that owns the lane; null when nobody does. */
  readonly owner: number | null;
  /** At least this long without an owner; null while it has one. */
  readonly unownedMs: number | null;
}
