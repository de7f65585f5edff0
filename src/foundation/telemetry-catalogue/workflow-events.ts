/** Durable workflows. Checked, like all events, where they are put together. */
export const workflowEvents = {
  'workflow.call-refused': {
    level: 'warn',
    fields: ['workflow', 'id', 'step', 'error'],
    when: "A step that had ended called something of its function's context.",
  },
  'workflow.start-rejected': {
    level: 'warn',
    fields: ['workflow', 'key', 'living', 'eventId'],
    when: 'An event would have started an instance while another one of its key lives.',
  },
  'workflow.step-failed': {
    level: 'warn',
    fields: ['workflow', 'id', 'step', 'attempt', 'error'],
    when: 'One attempt at a step, or at its undo, failed.',
  },
  'workflow.stuck': {
    level: 'error',
    fields: ['workflow', 'id', 'key', 'reason', 'message'],
    when: 'An instance is stuck and needs a person.',
  },
} as const;
