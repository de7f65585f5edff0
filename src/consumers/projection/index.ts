export {
  type Build,
  readBuilds,
  type Switching,
} from './build-record.ts';
export { type BuildStage, stageSentences } from './build-stage.ts';
export { retireBuild } from './builds.ts';
export type { Column, ColumnType, ColumnValue } from './columns.ts';
export { compareBuilds } from './comparing.ts';
export { type Comparison, type Difference, withoutValues } from './comparison.ts';
export {
  defineProjection,
  type FoldingProjection,
  foldingProjection,
  type KeyOf,
  type Projection,
  type ProjectionOptions,
  type RowOf,
} from './definition.ts';
export { evolveRow, rowKeysOf } from './fold.ts';
export { type ReadOptions, type ReadPlace, type ReadRequest, readProjection } from './read.ts';
export { projectionClass } from './runner.ts';
export {
  defineSqlProjection,
  type ProjectionTx,
  type SqlProjection,
  type SqlProjectionOptions,
} from './sql-definition.ts';
export { type ProjectionStep, projectionSteps } from './steps.ts';
export { type Switched, switchBuild } from './switching.ts';
export { type RowData, type RowKey, rowKey, rowKeyText } from './table.ts';
