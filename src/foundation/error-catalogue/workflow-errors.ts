/** Durable workflows. */
export const workflowErrors = {
  WORKFLOW_STEP_REPEATED: {
    message: 'The workflow {workflow} used the step name {step} twice in one instance.',
    cause: 'The name finds the recorded result; two steps under one name would share it.',
    remedy:
      'Give each step its own name; in a loop put what differs into it: step("charge 1", …), step("charge 2", …).',
  },
  WORKFLOW_CALL_INSIDE_STEP: {
    message: 'The workflow {workflow} called {call} of its context inside of {what}.',
    cause:
      'A finished step never runs again: what it called would be on record, and the next run of the function would not call it.',
    remedy:
      'Call it in the function, before or after the step, and hand its value in. In step.transaction, tx.publish publishes with the step.',
  },
  WORKFLOW_WAIT_UNDECLARED: {
    message: 'The workflow {workflow} waits for {type}, which its `waits` does not list.',
    cause: 'Only declared events are kept for instances.',
    remedy: 'Add the contract to `waits` of the workflow.',
  },
  WORKFLOW_STEP_TIMEOUT: {
    message: 'The step {step} of {workflow} did not finish within {limit}.',
    cause: 'It waits for something that does not answer, or never resolves.',
    remedy: 'Pass `signal` to what it waits for, or raise the `timeout` of the step.',
    retryable: true,
  },
  WORKFLOW_RESULT_INVALID: {
    message: 'The result of {what} of {workflow} cannot be recorded: {reason}',
    cause: 'Results are recorded as JSON of at most 1 MiB, so that they are never computed again.',
    remedy: 'Return JSON or nothing; keep large things elsewhere and return where they are.',
  },
  WORKFLOW_RUNNING: {
    message: 'An instance of {workflow} lives under the key {key} (number {id}).',
    cause: 'One instance lives per key, and the workflow declares onDuplicate: reject.',
    remedy: "Wait for its end, use another key, or declare onDuplicate: 'join' or 'queue'.",
  },
  WORKFLOW_UNKNOWN: {
    message: 'The workflow {workflow} is not declared by this app.',
    cause: 'It is not in `consumers` of createFactline, or another copy of it is.',
    remedy: 'List the workflow in `consumers`.',
    exitCode: 2,
  },
  WORKFLOW_INSTANCE_UNKNOWN: {
    message: 'There is no such instance of {workflow}: {instance}.',
    cause: 'The number or key is wrong, or it was removed.',
    remedy: 'See: npx factline workflow list',
    exitCode: 2,
  },
  WORKFLOW_INPUT_INVALID: {
    message: 'The input for {workflow} is not valid: {issues}',
    cause: 'It does not fit the schema that the workflow declares, or is no JSON of at most 1 MiB.',
    remedy: 'Correct what is named above.',
    exitCode: 2,
  },
  WORKFLOW_KEY_INVALID: {
    message: 'The key of an instance of {workflow} is not valid: {actual}',
    cause: 'A key is a text of 1 to 1,024 bytes without U+0000.',
    remedy: 'Correct what gives the key: `key` of the workflow or of startWorkflow.',
    exitCode: 2,
  },
  WORKFLOW_FAILED: {
    message: 'The instance {id} of {workflow} ended as {state}: {reason}',
    cause: 'Its function threw, or somebody cancelled it; what had undos was taken back.',
    remedy: 'See: npx factline workflow show {id}',
  },
  WORKFLOW_STUCK: {
    message: 'The instance {id} of {workflow} is stuck and needs a person: {reason}',
    cause: 'Code and journal do not fit, a compensation failed, or it ended its process three times.',
    remedy: 'See: npx factline workflow show {id}',
  },
  WORKFLOW_ACT_REFUSED: {
    message: 'The instance {id} cannot be changed that way: {reason}',
    cause: 'The act does not fit the state in which the instance is now.',
    remedy: 'See: npx factline workflow show {id}',
    exitCode: 2,
  },
} as const;
