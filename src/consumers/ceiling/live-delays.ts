/** A live event was handled that was recorded then: by the database's clock, ISO 8601. */
export type LiveListener = (consumer: string, recordedAt: string) => void;

/** What the consumers of one process tell of their live events, for whoever holds back work that can wait. */
export class LiveDelays {
  readonly #listeners = new Set<LiveListener>();

  handled(consumer: string, recordedAt: string): void {
    for (const listener of this.#listeners) listener(consumer, recordedAt);
  }

  listen(listener: LiveListener): void {
    this.#listeners.add(listener);
  }

  forget(listener: LiveListener): void {
    this.#listeners.delete(listener);
  }
}

/** Milliseconds since 1970 with all digits, which a `Date` would cut: most live events take one or two. */
export const preciseMs = (iso: string): number => {
  const [whole = '', fraction = '0'] = iso.replace('Z', '').split('.');
  return Date.parse(`${whole}Z`) + Number(`0.${fraction}`) * 1_000;
};
