/** Every step of an operational consumer that the crash explorer can stop at, in the order an event meets them. */
export const operationalSteps = [
  'operational.before-suspect',
  'operational.after-suspect',
  'operational.before-attempt',
  'operational.before-effect-start',
  'operational.after-effect-start',
  'operational.before-effect-done',
  'operational.after-effect-done',
  'operational.transaction-begun',
  'operational.before-commit',
  'operational.after-commit',
  'operational.after-attempt',
  'operational.before-inbox',
  'operational.after-inbox',
  'operational.before-park',
  'operational.after-park',
  'operational.parked',
  'operational.before-take-rows',
  'operational.after-take-rows',
  'operational.before-checkpoint',
  'operational.after-checkpoint',
] as const;

/** The steps that only an event delivered again by a replay meets. */
export const redeliverySteps = ['operational.before-redeliver', 'operational.after-redeliver'] as const;
