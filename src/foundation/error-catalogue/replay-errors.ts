/** Who may do what, and governed replay. */
export const replayErrors = {
  FORBIDDEN: {
    message: '{actor} may not do {act}: it takes the role {needed}, and {actor} has {has}.',
    cause:
      'Roles are declared for this database, and every act is checked against them. The attempt is on record.',
    remedy: 'Ask somebody who has that role, or declare it: createFactline({ roles: { NAME: [ROLE] } }).',
  },
  DUTIES_NOT_SEPARATE: {
    message: '{actor} cannot approve the replay {replay}: {actor} {did} it.',
    cause: 'A second person looks at what a replay will do before it does it. The attempt is on record.',
    remedy:
      'Ask somebody else. In an emergency: npx factline replay approve {replay} --break-glass --reason TEXT',
  },
  REPLAY_MANIFEST_INVALID: {
    message: 'The replay cannot be planned: {field} has to be {expected}; it is {actual}.',
    cause: 'A field of its manifest has a value that cannot work.',
    remedy:
      'Correct the field named above; on the command line it is an option, such as --rollback or --effects-max. See: npx factline replay plan --help',
    exitCode: 2,
  },
  REPLAY_UNBOUNDED: {
    message: 'The replay has no end: its selection says neither up to which position nor until when.',
    cause: 'Every replay is bounded, so that what arrives later is never part of it.',
    remedy:
      'Add where it ends: --to POSITION (--to head for everything there is now), --until TIME, or --id EVENT',
    exitCode: 2,
  },
  REPLAY_FIELD_REFUSED: {
    message: 'The selection cannot look at {field} of {type}: {why}.',
    cause: 'Predicates look only at fields that the contract declares and does not mark as sensitive.',
    remedy: '{instead}',
    exitCode: 2,
  },
  REPLAY_MODE_REFUSED: {
    message: 'A replay of {consumer} cannot be planned: {why}.',
    cause: 'What a replay may do is decided by the class of its consumer and by its declaration.',
    remedy: '{line}',
    exitCode: 2,
  },
  REPLAY_UNKNOWN: {
    message: 'There is no replay {replay}.',
    cause: 'The number is wrong.',
    remedy: 'See which there are: npx factline replay list',
    exitCode: 2,
  },
  REPLAY_STEP_REFUSED: {
    message: 'The replay {replay} is {state}: {step} is not possible now.',
    cause: 'A replay goes through its states in one order.',
    remedy: 'Possible now: {possible}. See: npx factline replay show {replay}',
  },
  REPLAY_SELECTION_REFUSED: {
    message: 'The selection of the replay cannot be frozen: {why}.',
    cause: 'A selection is frozen event by event before anybody approves it.',
    remedy: '{line}',
  },
  REPLAY_CHANGED: {
    message: 'The replay {replay} is not what it was: {what}.',
    cause:
      'Estimates and approvals hold for one revision, one frozen selection, one code version and a limited time.',
    remedy:
      'Look at it as it is now: npx factline replay show {replay}. What no longer holds is estimated and approved again: npx factline replay estimate {replay}',
  },
  REPLAY_NOT_APPROVED: {
    message:
      'The replay {replay} is not approved: {given} of {required} approvals hold for its present revision and selection.',
    cause: 'The database lets no replay begin that nobody else has approved as it is now.',
    remedy: 'Ask for approval: npx factline replay approve {replay}',
  },
  REPLAY_APPROVED_ALREADY: {
    message: '{actor} has approved the replay {replay} already; {missing} more approvals are needed.',
    cause: 'Each approval is another person’s.',
    remedy: 'Ask somebody else to run: npx factline replay approve {replay}',
  },
  REPLAY_CONFIRMATION_MISSING: {
    message: 'This would {effect}.',
    cause: 'An approval is for exactly what was looked at.',
    remedy: 'When that is meant: npx factline replay {verb} {replay} --digest {digest}',
    exitCode: 2,
  },
  BACKFILL_LINE_INVALID: {
    message: '{reason}',
    cause: 'A line of a backfill is an object with type, data and time.',
    remedy: 'Correct the line.',
    exitCode: 2,
  },
  BACKFILL_INVALID: {
    message: 'The file cannot be entered:{problems}',
    cause: 'Every line is checked against its contract before the first is written.',
    remedy: 'Correct these lines. Nothing was written.',
    exitCode: 2,
  },
  BACKFILL_DONE: {
    message: 'The facts of {file} are in the log since {at}, by backfill {backfill}.',
    cause: 'A file enters once: the same content again would be every fact twice.',
    remedy: 'Nothing is to be done. Other facts come in a file of their own.',
    exitCode: 2,
  },
  BACKFILL_BUSY: {
    message: 'The backfill {backfill} goes on elsewhere.',
    cause: 'Two processes enter the same file; each batch is written by one of them.',
    remedy: 'Let the other one end; the same command goes on where it is then.',
  },
  REPLAY_CONSUMER_BUSY: {
    message: 'Another replay of {consumer} is under way: {other}.',
    cause: 'Two replays of one consumer would work the same keys without an order.',
    remedy: 'Wait for it, or end it: npx factline replay abort {other}',
  },
} as const;
