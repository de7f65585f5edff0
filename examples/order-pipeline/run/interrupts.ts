/** Ctrl-C: once to drain, twice to stop at once. */
export interface Interrupts {
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Resolves at the first Ctrl-C. */
  readonly first: Promise<void>;
}

export function listenForInterrupts(second: () => never): Interrupts {
  const controller = new AbortController();
  const first = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const handle = (): void => {
    if (controller.signal.aborted) second();
    controller.abort();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    first,
  };
}
