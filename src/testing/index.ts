/** The test kit, the package's subpath `factline/testing`: projections without a database, whole apps on a real one. */

export { type JournalVerdict, verifyJournal, type WorkflowJournal } from '../consumers/index.ts';
export { type CrashReport, exploreCrashes } from './exploring/explore-crashes.ts';
export type { Outside, OutsideCall, OutsideRequest } from './exploring/outside.ts';
export type {
  Beginning,
  CrashScenario,
  Saga,
  SagaAtRest,
  SagaPlace,
  SagaWorld,
} from './exploring/scenario.ts';
export { type GivenEvents, given, type ProjectionScenario } from './given.ts';
export {
  type EffectRecord,
  type TestFactline,
  type TestFactlineOptions,
  testFactline,
} from './test-factline.ts';
