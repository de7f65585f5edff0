import type { Command } from '../command.ts';
import { consumersAccept, consumersPause, consumersResume } from './consumers.ts';
import { contractsCompare } from './contracts-compare.ts';
import { dev } from './dev.ts';
import { doctor } from './doctor.ts';
import { eventsShow, eventsTail } from './events.ts';
import { migrate } from './migrate.ts';
import { projectionList, projectionRebuild } from './projection.ts';
import { quarantineDiscard, quarantineList, quarantineRetry, quarantineShow } from './quarantine.ts';
import { quarantineResolve } from './quarantine-resolve.ts';
import { restored } from './restored.ts';
import { start } from './start.ts';
import { status } from './status.ts';

/** In the order that help shows them. */
export const commands: readonly Command[] = [
  dev,
  start,
  migrate,
  status,
  quarantineList,
  quarantineShow,
  quarantineRetry,
  quarantineDiscard,
  quarantineResolve,
  projectionList,
  projectionRebuild,
  consumersPause,
  consumersResume,
  consumersAccept,
  eventsTail,
  eventsShow,
  contractsCompare,
  doctor,
  restored,
];
