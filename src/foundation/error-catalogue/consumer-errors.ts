/** Declaring consumers, handling events, failures. */
export const consumerErrors = {
  CONSUMER_INVALID: {
    message: 'The consumer {consumer} is not valid: {issues}',
    cause: 'A field of its declaration has a value that cannot work.',
    remedy: 'Correct the fields named above.',
    exitCode: 2,
  },
  CONSUMER_DUPLICATE: {
    message: 'Two consumers are called {consumer}.',
    cause: 'The name is the identity under which progress is stored.',
    remedy: 'Give one of them another name.',
    exitCode: 2,
  },
  CONSUMER_UNKNOWN: {
    message: 'No consumer is called {consumer}; known are: {known}',
    cause: 'The name is misspelt, or this app does not declare that consumer.',
    remedy: 'Use one of the known names.',
    exitCode: 2,
  },
  CONSUMER_OF_ANOTHER_APP: {
    message: 'The consumer name {consumer} belongs to the app {owner}.',
    cause: 'Progress is stored by name; two apps under one name would skip events for each other.',
    remedy: 'Give your consumer another name.',
    exitCode: 2,
  },
  CONSUMER_CHANGED: {
    message: 'The declaration of {consumer} differs from what the running generation uses: {issues}',
    cause: 'Another version of the code is registered with another set of events, key version or lanes.',
    remedy:
      'Deploy the newer code everywhere; to drop an event type for good run: npx factline consumers accept {consumer}',
  },
  LEASE_LOST: {
    message: 'The lane {lane} of {consumer} belongs to another process now; nothing was written.',
    cause: 'This process did not show a sign of life in time, or the lanes were given to others.',
    remedy: 'Nothing: the new owner handles the event.',
    retryable: true,
  },
  ALREADY_HANDLED: {
    message: 'The event at position {position} was already handled by {consumer}; nothing was written.',
    cause: 'The event was delivered again after its commit.',
    remedy: 'Nothing: a repeat is suppressed.',
  },
  PERMANENT_FAILURE: {
    message: '{message}',
    cause: 'The handler said that trying again cannot help.',
    remedy: 'Correct the data or the code, then retry it from the quarantine.',
  },
  TRANSIENT_FAILURE: {
    message: '{message}',
    cause: 'The handler said that trying again later may help.',
    remedy: 'Nothing: it is tried again.',
    retryable: true,
  },
  HANDLER_TIMEOUT: {
    message: '{consumer} did not finish the event {eventId} within {limit}.',
    cause: 'The handler waits for something that does not answer, or never resolves.',
    remedy: 'Pass `signal` to what it waits for, or raise the time limit of the consumer.',
    retryable: true,
  },
  HANDLER_THREW_NOTHING: {
    message: '{consumer} threw {thrown}, which is not an error.',
    cause: 'Something was thrown or rejected that has neither message nor stack.',
    remedy: 'Throw an Error.',
  },
  KILLED_PROCESS: {
    message: 'Handling the event {eventId} ended the process {attempts} times.',
    cause: 'The handler exits, exhausts the memory or blocks the event loop until the process is killed.',
    remedy: 'Correct the handler, then run: npx factline quarantine retry {id}',
  },
  TRANSACTION_TWICE: {
    message: '{consumer} called transaction() a second time while handling one event.',
    cause: 'The first transaction has already committed that the event is handled.',
    remedy: 'Do everything in one transaction().',
  },
  EFFECT_NAME_REUSED: {
    message: '{consumer} used the effect name {effect} twice for one event.',
    cause: 'The name finds the recorded result; two calls under one name would share it.',
    remedy: 'Give each effect of a handler its own name.',
  },
  EFFECT_AFTER_TRANSACTION: {
    message: '{consumer} called effect({effect}) during or after its transaction().',
    cause:
      'During it a transaction would stay open while the outside world is waited for; after it the event is already handled.',
    remedy: 'Call effects first, then transaction().',
  },
  EFFECT_OUTCOME_UNKNOWN: {
    message: 'The effect {effect} of {consumer} was started, and whether it happened is unknown.',
    cause: 'The process ended between the call and the record of its result.',
    remedy: 'Find out, then run: npx factline quarantine show {id}',
  },
  EFFECT_BLOCKED: {
    message: '{consumer} wants the effect {effect}, and the replay {replay} does not allow it: {why}.',
    cause:
      'A replay does outside only what was approved. A handler cannot go on without a result, so the event counts as failed in the replay.',
    remedy:
      'Plan a replay with --effects reuse (calls under the original key where nothing is recorded) or execute with a higher --effects-max.',
  },
  EFFECT_RESULT_INVALID: {
    message: 'The effect {effect} of {consumer} returned something that is not JSON: {issues}',
    cause: 'The result is recorded, so that a retry gets it back unchanged.',
    remedy: 'Return JSON or nothing.',
  },
  EFFECT_CLOSED: {
    message: 'In a dry run the effect {effect} of {consumer} is not carried out.',
    cause: 'A dry run touches nothing outside; the handler ends where it would have.',
    remedy: 'Nothing: the outcome says that the effect was attempted.',
  },
  DRY_RUN_BUSY: {
    message: 'A dry run of {consumer} at the event {eventId} needs rows that are locked just now.',
    cause: 'A dry run waits for nobody, so that no live transaction ever fails because of it.',
    remedy: 'Run it again, or when there is less traffic.',
    retryable: true,
  },
  PROJECTION_NAME_TAKEN: {
    message: 'The view {view} cannot be created for the projection {projection}: {reason}',
    cause: 'An object of this name exists and does not belong to Factline.',
    remedy: 'Rename the projection or that object, or set projectionSchema of createFactline.',
  },
  PROJECTION_CHANGED_WITHOUT_VERSION: {
    message: 'The projection {projection} has changed ({issues}), but its version is still {version}.',
    cause: 'The stored rows were made by the earlier declaration.',
    remedy: 'Raise `version` by one; the projection is then rebuilt.',
    exitCode: 2,
  },
  PROJECTION_COLUMN_UNKNOWN: {
    message: 'The projection {projection} returned {column}, which is not one of its columns: {columns}',
    cause: 'evolve returns something that would not be stored.',
    remedy: 'Declare the column, or do not return it.',
  },
  PROJECTION_VALUE_INVALID: {
    message:
      'The projection {projection} returned a value for {column} that does not fit {expected}: {actual}',
    cause: 'evolve returned a value that PostgreSQL would refuse or change.',
    remedy: 'Return a value of the declared type.',
  },
  PROJECTION_KEY_INVALID: {
    message: 'The projection {projection} got a row key that cannot work: {reason}',
    cause: 'A row key is made of the primary key columns, 1 to 1,024 bytes.',
    remedy: 'Give the event that key field, or say with `rows` which rows an event touches.',
  },
  PROJECTION_RESULT_INVALID: {
    message: 'evolve of the projection {projection} returned {actual}.',
    cause: 'A fold returns the columns of the row, or null to delete it.',
    remedy:
      'Return an object with every column that is not part of the primary key, null, or the row as it was given.',
  },
  PROJECTION_NOT_REPEATABLE: {
    message:
      'evolve of the projection {projection} answered differently for the same event ({type}) and row {key}: first {first}, then {second}',
    cause:
      'It uses the clock, chance or something outside its arguments; a batch that is folded again would write other rows.',
    remedy: 'Use only row, event and key; the time of the event is event.time.',
  },
  PROJECTION_ORDER_DEPENDENT: {
    message:
      'The row {key} of {projection} depends on the order of events of different keys: {first} in the given order, {second} in the order {order}',
    cause: 'Only events of one key come in a promised order; between keys it is the order of their commits.',
    remedy: 'Compute what does not depend on it, or decide by a value in the events (event.time, a version).',
  },
  SAGA_BROKEN: {
    message: 'The saga does not hold after this injection: {injection}\n{broken}',
    cause:
      'exploreCrashes let it go wrong at this point, the saga recovered and came to rest, and what is said above does not hold.',
    remedy: 'See it again, alone, with these options beside the others of the scenario: {reproduction}',
  },
  SAGA_RESTLESS: {
    message: 'The saga did not come to rest within {ms} ms: {busy}',
    cause:
      'A handler or step does not end, something is tried again for ever, or a timer always begins the next one.',
    remedy:
      'Look at what is said to be at work; a step that waits for the outside world needs an answer from the scenario.',
  },
  PROJECTION_TABLE_MISSING: {
    message: 'The table {table} of the projection {projection} is not there.',
    cause: 'It was dropped by hand, or restored without the schema factline.',
    remedy: 'Run: npx factline projection rebuild {projection}',
  },
  PROJECTION_BUILDING: {
    message:
      'The rows of {projection} are still those of an earlier version; version {version} is being filled.',
    cause:
      'The view moves when the new rows have caught up; until then it shows the old ones, which lack some columns.',
    remedy: 'Try again later; see how far it is with: npx factline projection list',
    retryable: true,
  },
  PROJECTION_REBUILD_UNDER_WAY: {
    message: 'The projection {projection} is being rebuilt already.',
    cause: 'A build that is not read yet is still catching up.',
    remedy:
      'Look at its progress with `npx factline projection list`, or give it up with `npx factline projection rebuild {projection} --cancel`.',
  },
  PROJECTION_BUILD_UNKNOWN: {
    message: 'The projection {projection} has no build {build}; there are: {known}',
    cause: 'It was retired, or the number is wrong.',
    remedy: 'See: npx factline projection list',
    exitCode: 2,
  },
  PROJECTION_NOT_SHARDABLE: {
    message:
      'An event with the key {key} belongs to the row {row} of {projection}, which another lane may be filling.',
    cause:
      'Lanes of a rebuild share out the keys of events; a schema or an upcaster has made another value of this one.',
    remedy:
      'Cancel the rebuild, then fill it in one lane: npx factline projection rebuild {projection} --shards 1',
  },
  PROJECTION_SWITCH_REFUSED: {
    message: 'Build {build} of {projection} is not the one to read now: {reason}',
    cause: 'Readers would see rows that nobody has judged, or older ones than before.',
    remedy: 'Look with: npx factline projection compare {projection}. With --accept it is read all the same.',
  },
  PROJECTION_BUSY: {
    message: 'Build {build} of {projection} is in the way of somebody just now: {reason}',
    cause: 'Readers and writers go first: moving a view and dropping a table wait only a moment for them.',
    remedy: 'Try again; if it goes on, look for long transactions that read the view.',
    retryable: true,
  },
  PROJECTION_RETIRE_REFUSED: {
    message: 'Build {build} of {projection} cannot be retired: {reason}',
    cause: 'Its table is in use.',
    remedy: 'See: npx factline projection list. End what uses it, then try again.',
  },
  PROJECTION_ASYNC: {
    message: 'The projection {projection} returned a promise from {function}.',
    cause: 'A projection folds rows in memory; it has nothing to wait for.',
    remedy: 'Make it synchronous; work with the outside world belongs into defineHandler.',
  },
  READ_TIMEOUT: {
    message:
      'The projection {projection} did not reach position {position} within {within}; it is at {reached}.',
    cause: 'The projection is behind, paused, or not running.',
    remedy: 'Look at `npx factline status`, read without the token, or wait longer with `within`.',
    retryable: true,
  },
  READ_PARKED: {
    message:
      'The row {key} of {projection} waits for the event at position {position}, which is in quarantine.',
    cause: 'An event of this row failed; the row stays as it was before it.',
    remedy: 'Look at it with: npx factline quarantine list',
  },
  QUARANTINE_NOT_FOUND: {
    message: 'There is no parked event with the number {id}.',
    cause: 'It was released or discarded, or the number is wrong.',
    remedy: 'See: npx factline quarantine list',
    exitCode: 2,
  },
  DISCARD_NEEDS_REASON: {
    message: 'Discarding {id} needs {missing}.',
    cause: 'Nothing is dropped without a record of who decided it and why.',
    remedy: 'Give both: npx factline quarantine discard {id} --reason "…" --by NAME',
    exitCode: 2,
  },
} as const;
