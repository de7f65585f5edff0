/**
 * Drains on SIGTERM. When the app's own program listens too, ending the process stays its business; otherwise the signal is
 * raised again after the drain, so that the process ends as if nobody had listened.
 */
export const drainOnSignal = (drain: () => Promise<void>): (() => void) => {
  let draining = false;
  const onSignal = (): void => {
    if (draining) return;
    draining = true;
    const alone = process.listenerCount('SIGTERM') === 1;
    void drain()
      .catch(() => undefined)
      .then(() => {
        process.off('SIGTERM', onSignal);
        if (alone) process.kill(process.pid, 'SIGTERM');
      });
  };
  process.on('SIGTERM', onSignal);
  return () => {
    // During the drain the listener stays: a second SIGTERM must not end the process half way.
    if (!draining) process.off('SIGTERM', onSignal);
  };
};
