import type { Command } from '../command.ts';
import { alertsList, alertsRules } from './alerts.ts';
import { auditList, auditVerify } from './audit.ts';
import { backfill } from './backfill.ts';
import { consumersAccept, consumersPause, consumersResume } from './consumers.ts';
import { contractsAccept, contractsApprove } from './contracts-accept.ts';
import { contractsCatalog } from './contracts-catalog.ts';
import { contractsCheck, contractsDiff } from './contracts-check.ts';
import { contractsCompare } from './contracts-compare.ts';
import { contractsDeprecate, contractsReadiness } from './contracts-deprecate.ts';
import { contractsLint } from './contracts-lint.ts';
import { dev } from './dev.ts';
import { doctor } from './doctor.ts';
import { eventsShow, eventsTail } from './events.ts';
import { migrate } from './migrate.ts';
import { projectionCompare, projectionList } from './projection.ts';
import {
  projectionRebuild,
  projectionRetire,
  projectionRollback,
  projectionSwitch,
} from './projection-acts.ts';
import { quarantineDiscard, quarantineList, quarantineRetry, quarantineShow } from './quarantine.ts';
import { quarantineEdit, quarantineRestore } from './quarantine-edit.ts';
import { quarantineAssign, quarantineGroups, quarantineNote, quarantineSnooze } from './quarantine-groups.ts';
import { quarantineRedirect } from './quarantine-redirect.ts';
import { quarantineRelease, quarantineReleases, quarantineStop } from './quarantine-release.ts';
import { quarantineResolve } from './quarantine-resolve.ts';
import { replayEstimate, replayList, replayReport, replayShow } from './replay.ts';
import {
  replayAbort,
  replayApprove,
  replayPause,
  replayReject,
  replayRequest,
  replayResume,
  replayRun,
} from './replay-decide.ts';
import { replayPlan } from './replay-plan.ts';
import { replayWatch } from './replay-watch.ts';
import { restored } from './restored.ts';
import { start } from './start.ts';
import { status } from './status.ts';
import { workflowList, workflowShow } from './workflow.ts';
import { workflowCancel, workflowFork, workflowRetry } from './workflow-acts.ts';
import { workflowCompensateFrom, workflowPatch, workflowRetryStep, workflowSkip } from './workflow-repair.ts';
import { workflowExport, workflowVerify } from './workflow-verify.ts';

/** In the order that help shows them. */
export const commands: readonly Command[] = [
  dev,
  start,
  migrate,
  status,
  alertsList,
  alertsRules,
  quarantineGroups,
  quarantineList,
  quarantineShow,
  quarantineRelease,
  quarantineReleases,
  quarantineStop,
  quarantineRetry,
  quarantineEdit,
  quarantineRedirect,
  quarantineDiscard,
  quarantineRestore,
  quarantineResolve,
  quarantineAssign,
  quarantineNote,
  quarantineSnooze,
  workflowList,
  workflowShow,
  workflowCancel,
  workflowRetry,
  workflowRetryStep,
  workflowSkip,
  workflowCompensateFrom,
  workflowPatch,
  workflowFork,
  workflowVerify,
  workflowExport,
  projectionList,
  projectionRebuild,
  projectionCompare,
  projectionSwitch,
  projectionRollback,
  projectionRetire,
  consumersPause,
  consumersResume,
  consumersAccept,
  replayPlan,
  replayEstimate,
  replayRequest,
  replayApprove,
  replayReject,
  replayRun,
  replayWatch,
  replayPause,
  replayResume,
  replayAbort,
  replayShow,
  replayReport,
  replayList,
  auditList,
  auditVerify,
  eventsTail,
  backfill,
  eventsShow,
  contractsCheck,
  contractsDiff,
  contractsAccept,
  contractsApprove,
  contractsDeprecate,
  contractsReadiness,
  contractsLint,
  contractsCatalog,
  contractsCompare,
  doctor,
  restored,
];
