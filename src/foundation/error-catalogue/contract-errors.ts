/** Declaring contracts and building events. `as const`, so that the codes stay a closed union. */
export const contractErrors = {
  CONTRACT_INVALID: {
    message: 'The contract {type} is not valid: {issues}',
    cause: 'A field of its declaration has a value that cannot work.',
    remedy: 'Correct the fields named above in the call to defineEvent or defineCommand.',
    exitCode: 2,
  },
  CONTRACT_DUPLICATE: {
    message: 'Two different contracts are declared for the type {type}.',
    cause: 'A type has exactly one contract: a second one could accept what the first refuses.',
    remedy:
      'Export one contract and import it everywhere, or give the new one its own type (or a new version).',
    exitCode: 2,
  },
  CONTRACT_SCHEMA_UNAVAILABLE: {
    message: 'The schema of {type} cannot be written as JSON Schema at {path} ({library}): {reason}',
    cause:
      'Comparing, locking and showing a contract needs its schema as data; a function or a transform is none, and some libraries need an adapter.',
    remedy: 'For {type}: {cure}.',
    exitCode: 2,
  },
  UPCASTER_INVALID: {
    message: 'The upcaster from {from} to {to} cannot work: {issues}',
    cause:
      'Old events must be read in exactly one way, and keep the key that decides their order: one upcaster from each type, chains that end, equal key fields.',
    remedy: 'Correct the call to defineUpcaster, or the list of upcasters, as named above.',
    exitCode: 2,
  },
  UPCAST_FAILED: {
    message: 'The event {eventId} cannot be read as {to}: the upcaster from {from} failed, {reason}',
    cause: 'The upcaster does not cover this payload of the old contract.',
    remedy: 'Correct the upcaster and deploy it, then `factline quarantine retry` what it held back.',
  },
  PRODUCER_NOT_LISTED: {
    message: 'The app {source} may not publish {type}: its producers are {producers}.',
    cause: 'The contract says who publishes the event, and the name of this app is not among them.',
    remedy:
      "Let one of the producers publish it, or have the contract's owner add {source} to `producers`. In a test, name the app: testFactline({ name }).",
  },
  READ_UNDECLARED: {
    message: 'The consumer {consumer} read {field} of {type}, which its `reads` does not declare.',
    cause:
      'The gate tells producers which fields are read; a field that is read and not declared could be removed by surprise. Only tests look.',
    remedy: 'Add the field to `reads` of {consumer}, or do not read it.',
  },
  SCHEMA_ASYNC: {
    message: 'The schema of {type} answered with a promise.',
    cause:
      'Payloads are checked at the call, before anything is written; an asynchronous check cannot do that.',
    remedy: 'Remove async refinements from the schema and do that check before publishing.',
  },
  SCHEMA_THREW: {
    message: 'The schema of {type} threw instead of reporting issues: {reason}',
    cause: 'A refinement or custom check in the schema has a bug, or is not made for this payload.',
    remedy:
      'Make the check return false (or add an issue) instead of throwing; the original error is the cause.',
  },
  PAYLOAD_INVALID: {
    message: 'The payload of {type} breaks its schema: {issues}',
    cause: 'The data does not match the contract.',
    remedy: 'Correct the payload, or publish a new version of the contract that allows it.',
  },
  PAYLOAD_NOT_JSON: {
    message: 'The payload of {type} cannot be stored as it is: {issues}',
    cause:
      'What is written must be what is read: only JSON, without values that PostgreSQL or JSON would change.',
    remedy:
      'Use strings, finite numbers, booleans, null, arrays and plain objects; dates as ISO text, 64-bit integers as text.',
  },
  PAYLOAD_TOO_LARGE: {
    message: 'The payload of {type} has {bytes} bytes; at most {limit} are accepted.',
    cause: 'The event would slow down every reader of the log.',
    remedy: 'Store the bulk elsewhere and publish a reference to it.',
  },
  KEY_INVALID: {
    message: 'The key of {type} is not valid at {path}: {reason}',
    cause: 'A key is 1 to 1,024 bytes of UTF-8 without U+0000 and without lone surrogates.',
    remedy:
      'Publish the event with a usable value in the key field, or choose another key field in the contract.',
  },
  EVENT_OPTION_INVALID: {
    message: 'The option {option} of {type} is not valid: expected {expected}, got {actual}.',
    cause: 'The second argument of a contract takes { time?: Date, dedupeKey?: string }.',
    remedy: 'Correct the option named above.',
  },
  DEDUPE_KEY_CONFLICT: {
    message:
      'The dedupeKey {dedupeKey} of {type} was already used with another payload, at position {position}.',
    cause: 'A dedupeKey names one fact; the same key with different data is a contradiction, not a repeat.',
    remedy: 'Use a key that is different for each fact, or publish the correction as an event of its own.',
  },
  SCHEMA_INVALID: {
    message: 'The {side} {format} schema cannot be used, at {path}: {reason}',
    cause: 'What was given is not a schema of this format, or leans on something that is not there.',
    remedy: 'Correct the schema at the place named above, and give every file that it imports.',
    exitCode: 2,
  },
  SCHEMA_FETCH_NOT_ALLOWED: {
    message: '{origin} leads to {url}, which may not be fetched: allowed is {allowed}.',
    cause: 'A schema leans on a document outside of what `--fetch` allows.',
    remedy:
      'Allow its address with another `--fetch`, or write the document into the schema, with its address as `$id`.',
    exitCode: 2,
  },
  SCHEMA_FETCH_FAILED: {
    message: 'The document {url} cannot be used: {reason}.',
    cause: 'A schema leans on this document, and may be compared only with all that it leans on.',
    remedy:
      'Correct the reference or the document, or write the document into the schema, with its address as `$id`.',
    exitCode: 2,
  },
  BATCH_LINE_INVALID: {
    message: 'The line cannot be used: {reason}',
    cause: 'Each line of a batch is one JSON object in UTF-8: { id, format, mode, old, new, … }.',
    remedy: 'Correct the line; docs/compare.md says what it may hold.',
    exitCode: 2,
  },
  EVENT_UNKNOWN_TYPE: {
    message: 'No contract is known for the event type {type}.',
    cause: 'The log holds an event that this code does not declare.',
    remedy: 'Add its contract to `contracts` of createFactline, or deploy the code that knows it.',
  },
} as const;
