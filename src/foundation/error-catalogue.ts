import { appErrors } from './error-catalogue/app-errors.ts';
import { commandErrors } from './error-catalogue/command-errors.ts';
import { consumerErrors } from './error-catalogue/consumer-errors.ts';
import { contractErrors } from './error-catalogue/contract-errors.ts';
import { databaseErrors } from './error-catalogue/database-errors.ts';
import { gateErrors } from './error-catalogue/gate-errors.ts';
import { logErrors } from './error-catalogue/log-errors.ts';
import { replayErrors } from './error-catalogue/replay-errors.ts';
import { requestErrors } from './error-catalogue/request-errors.ts';
import { triageErrors } from './error-catalogue/triage-errors.ts';
import { workflowErrors } from './error-catalogue/workflow-errors.ts';

/** One row of the catalogue. Add a code to the table of its subject; a released code is never reused for something else. */
export interface ErrorEntry {
  /** What was wrong and where; `{name}` is filled from the error's details. */
  readonly message: string;
  /** Why this happens. */
  readonly cause: string;
  /** What to do next; `{name}` is filled as well. */
  readonly remedy: string;
  /** Trying the same again later may succeed. Default: false. */
  readonly retryable?: boolean;
  /** What the command line ends with; see `exitCodes`. Default: 1. */
  readonly exitCode?: number;
}

/** The command line's exit codes, as documented: scripts may rely on them. */
export const exitCodes = {
  failure: 1,
  usage: 2,
  database: 3,
  migration: 4,
  log: 5,
  unanswered: 6,
  interrupted: 130,
} as const;

export const errorCatalogue = {
  ...contractErrors,
  ...gateErrors,
  ...databaseErrors,
  ...logErrors,
  ...consumerErrors,
  ...requestErrors,
  ...replayErrors,
  ...triageErrors,
  ...workflowErrors,
  ...appErrors,
  ...commandErrors,
} as const satisfies Readonly<Record<string, ErrorEntry>>;

/** Every code that an error of Factline can have: a closed union. */
export type ErrorCode = keyof typeof errorCatalogue;
