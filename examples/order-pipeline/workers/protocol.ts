/** What a worker says to its parent. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** The text of its metrics, cumulative; sent every second and before it ends. */
  | { readonly kind: 'metrics'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** What the parent says to a worker. */
export type ToWorker = { readonly kind: 'stop' };
