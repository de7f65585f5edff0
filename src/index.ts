/** The package `factline`: everything an app needs. Adapters, contracts tooling and the test kit have subpaths of their own. */
export {
  type CommandRequest,
  createFactline,
  type Factline,
  type FactlineOptions,
  type WorkflowHandle,
} from './app/index.ts';
export {
  defineHandler,
  defineProjection,
  defineSqlProjection,
  defineWorkflow,
  type HandlerContext,
  type Workflow,
  type WorkflowContext,
} from './consumers/index.ts';
export {
  type CommandContract,
  type DataOf,
  type Draft,
  defineCommand,
  defineEvent,
  defineUpcaster,
  type EventContract,
  type EventOf,
  type FactEvent,
} from './contracts/index.ts';
export { type Duration, FactlineError, PermanentError, TransientError } from './foundation/index.ts';
export type { Tx } from './log/index.ts';
export {
  type AlertOptions,
  type AlertReceiver,
  type MailTransport,
  type SystemEvents,
  systemEvents,
  type Verdict,
} from './operations/index.ts';
export { type ForeignTransaction, fromPg } from './postgres/index.ts';
