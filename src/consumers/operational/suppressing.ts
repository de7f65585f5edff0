import type { Tx } from '../../log/index.ts';

/** Counts what would have been published. */
export interface Suppressed {
  count: number;
}

/** A transaction whose events are dropped; what a savepoint undoes was never published, so it does not count. */
export const suppressing = (tx: Tx, suppressed: Suppressed): Tx => ({
  ...tx,
  publish: (...drafts) => {
    suppressed.count += drafts.length;
  },
  send: (...drafts) => {
    suppressed.count += drafts.length;
  },
  savepoint: async (run) => {
    const kept = suppressed.count;
    try {
      return await tx.savepoint((inner) => run(suppressing(inner, suppressed)));
    } catch (error) {
      suppressed.count = kept;
      throw error;
    }
  },
});
