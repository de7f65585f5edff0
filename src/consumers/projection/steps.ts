/** Where the crash explorer can stop a projection. */
export const projectionSteps = [
  'projection.before-prepare',
  'projection.before-commit',
  'projection.after-commit',
  'projection.before-drain',
  'projection.after-drain',
  'projection.before-merge',
  'projection.after-merge',
  'projection.before-compare',
  'projection.after-compare',
  'projection.before-switch',
  'projection.after-switch',
] as const;

export type ProjectionStep = (typeof projectionSteps)[number];
