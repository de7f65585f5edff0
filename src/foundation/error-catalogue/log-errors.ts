/** Reading the log, tokens and restores. */
export const logErrors = {
  POSITION_INVALID: {
    message: 'The log position {actual} is not an integer between 0 and 2^53 − 1.',
    cause: 'A position was rounded, negative, or is not a position at all.',
    remedy: 'Pass positions on as they came; as text where another language reads them.',
  },
  LOG_CHECK_FAILED: {
    message: 'The log cannot be read safely: {issues}',
    cause: 'Something that the proof of completeness rests on was changed in the database.',
    remedy: 'Undo the change named above; `npx factline doctor` shows all checks.',
    exitCode: 5,
  },
  LOG_WENT_BACKWARDS: {
    message: 'The log ends at position {head}, but {consumer} has already handled up to {checkpoint}.',
    cause: 'The database was restored to an earlier state, or its sequence was reset.',
    remedy: 'If it was restored, run: npx factline restored',
    exitCode: 5,
  },
  LOG_EPOCH_MISMATCH: {
    message: 'This {what} belongs to the log epoch {actual}; the log is now in epoch {expected}.',
    cause:
      'After a restore positions may be used again, so what was remembered before no longer means the same.',
    remedy: 'Drop what was remembered (tokens, caches) and read again.',
    exitCode: 5,
  },
  LOG_RESTORED: {
    message: 'This database is a copy: its system identifier is {actual}, the log was written on {expected}.',
    cause: 'The database was restored or cloned from another server.',
    remedy: 'If this copy is meant to go on, run: npx factline restored',
    exitCode: 5,
  },
  LOG_COMPACTED: {
    message:
      'The events from position {after} on are asked for, but the log is compacted below {compactedBelow}.',
    cause: 'Retention has removed the beginning of this range.',
    remedy: 'Start later, or restore the archive of the missing range first.',
    exitCode: 5,
  },
  TOKEN_INVALID: {
    message: 'The token {token} is not valid.',
    cause: 'It was cut, changed, or does not come from publish() or transaction().',
    remedy: 'Pass the token on exactly as it was returned.',
  },
} as const;
