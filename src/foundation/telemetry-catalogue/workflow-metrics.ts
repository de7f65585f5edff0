/** Durable workflows. Checked, like all metrics, where they are put together. */
export const workflowMetrics = {
  factline_workflow_at_work: {
    type: 'gauge',
    unit: 'count',
    labels: ['workflow'],
    help: 'Instances in the memory of this process; sleeping and waiting ones are not.',
  },
  factline_workflow_due: {
    type: 'gauge',
    unit: 'count',
    labels: ['consumer'],
    help: 'Instances of the workflow that should be going on and that no process works at.',
  },
  factline_workflow_due_oldest_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'How long the oldest of these has been due; absent when there is none.',
  },
  factline_workflow_instances_total: {
    type: 'counter',
    unit: 'count',
    labels: ['workflow', 'state'],
    help: 'Instances that left memory, by state: waiting, completed, failed, cancelled, stuck.',
  },
  factline_workflow_living: {
    type: 'gauge',
    unit: 'count',
    labels: ['consumer', 'state'],
    help: 'Instances that have not ended, by state: queued, running, waiting, compensating, stuck. At most 20,000 of a version and state are counted.',
  },
  factline_workflow_step_failures_total: {
    type: 'counter',
    unit: 'count',
    labels: ['workflow'],
    help: 'Attempts at steps and undos that failed.',
  },
  factline_workflow_stuck_oldest_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['consumer'],
    help: 'How long the oldest stuck instance has needed a person; absent when none is stuck.',
  },
} as const;
