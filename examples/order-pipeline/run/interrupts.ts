/** Ctrl-C: once to drain, twice to stop at once. */
export interface Interrupts {
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Resolves at the first Ctrl-C. */
  readonly first: Promise<void>;
  stop(): void;
}

export function listenForInterrupts(on: { first(): void; second(): never }): Interrupts {
  const controller = new AbortController();
  const first = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const handle = (): void => {
    if (controller.signal.aborted) on.second();
    controller.abort();
    on.first();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    first,
    stop: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
