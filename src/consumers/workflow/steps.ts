/** Every step of a workflow that the crash explorer can stop at, in the order an instance meets them. */
export const workflowSteps = [
  'workflow.before-mail',
  'workflow.after-mail',
  'workflow.before-wake',
  'workflow.after-wake',
  'workflow.before-start',
  'workflow.after-start',
  'workflow.before-load',
  'workflow.after-load',
  'workflow.before-suspect',
  'workflow.after-suspect',
  'workflow.before-step',
  'workflow.after-step',
  'workflow.before-transaction-commit',
  'workflow.after-transaction-commit',
  'workflow.before-undo',
  'workflow.after-undo',
  'workflow.before-flush',
  'workflow.after-flush',
  'workflow.before-look',
  'workflow.after-look',
  'workflow.before-act',
  'workflow.after-act',
] as const;

export type WorkflowStep = (typeof workflowSteps)[number];
