/** The room `postgres`: connections, transactions, named statements, migrations, the embedded server. Knows no consumers. */
export {
  classifyDatabaseError,
  explainConnectionError,
  hostOf,
  isConnectionLost,
  lockNotAvailable,
  sqlState,
} from './connection-errors.ts';
export {
  createDatabase,
  type Database,
  type DatabaseOptions,
  type PoolSizes,
  type Session,
} from './database.ts';
export {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedDirectory,
  startEmbedded,
} from './embedded/index.ts';
export type { LastRow, LastStatement } from './finish-query.ts';
export { type ForeignTransaction, fromPg } from './foreign-transaction.ts';
export { type GuardedClient, ownStatement, refusedStatement } from './guarded-client.ts';
export { checkServer, type MigrateOptions, migrate, migrations, pendingMigrations } from './migrate.ts';
export {
  loadQueries,
  type NamedQuery,
  type Queryable,
  type Row,
  run,
  runArrays,
  runCount,
} from './queries.ts';
export { type Rehearsed, rehearse, type TableChange } from './rehearsal.ts';
export {
  engineTransaction,
  explain,
  type TransactionOptions,
  type TransactionResult,
  transaction,
} from './transaction.ts';
