import { setTimeout as sleep } from 'node:timers/promises';
import type { Screen } from '../screen/screen.ts';
import type { Monitor, Sight } from './monitor.ts';

const LOOK_MS = 500;
const LOOK_FAST_MS = 200;
/** Looking costs something: a run that is not over by then is looked at less often. */
const FAST_FOR_MS = 15_000;
/** Without any progress for this long the run gives up and says what is left. */
const STUCK_MS = 5 * 60_000;
/** Measurements that are not further apart are the same one, shown again. */
const SAME_MS = 5;

export interface Outcome {
  readonly sight: Sight;
  readonly drained: boolean;
}

/**
 * Looks until everything is fed and handled. Two looks must agree, since handling one event may publish another one, and
 * both must have been measured after the last invoice was posted.
 *
 * @param fed rejects when the feed cannot go on
 */
export async function watch(
  monitor: Monitor,
  { fed, screen, fast }: { fed: Promise<void>; screen: Screen; fast: boolean },
): Promise<Outcome> {
  let failure: { error: unknown } | null = null;
  let finishedAt = Number.POSITIVE_INFINITY;
  fed.then(
    () => {
      finishedAt = performance.now();
    },
    (error: unknown) => {
      failure = { error };
    },
  );
  let before: Sight | null = null;
  let movedAt = performance.now();
  for (;;) {
    const sight = await monitor.look();
    screen.show(sight.picture);
    if (before === null || sight.measuredAt > before.measuredAt + SAME_MS) {
      if (before === null || before.unhandled !== sight.unhandled || before.head !== sight.head) {
        movedAt = performance.now();
      } else if (sight.unhandled === 0 && before.measuredAt > finishedAt) {
        return { sight, drained: true };
      }
      before = sight;
    }
    if (performance.now() - movedAt > STUCK_MS) return { sight, drained: false };
    await sleep(fast && monitor.elapsedMs < FAST_FOR_MS ? LOOK_FAST_MS : LOOK_MS);
    rethrow(failure);
  }
}

function rethrow(failure: { error: unknown } | null): void {
  if (failure !== null) throw failure.error;
}
