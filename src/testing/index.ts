/** The test kit, the package's subpath `factline/testing`: projections without a database, whole apps on a real one. */
export { type GivenEvents, given, type ProjectionScenario } from './given.ts';
export {
  type EffectRecord,
  type TestFactline,
  type TestFactlineOptions,
  testFactline,
} from './test-factline.ts';
