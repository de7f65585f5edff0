/** The command line, and requests of people to running processes. */
export const commandErrors = {
  COMMAND_INTERRUPTED: {
    message: 'The command was interrupted before it was done.',
    cause:
      'Ctrl-C, or a signal to its process. What it had put on record stays, and goes on where running processes do it.',
    remedy:
      'Look how it stands with the list or show command of the same name; run it again where more was meant.',
    exitCode: 130,
  },
  COMMAND_UNKNOWN: {
    message: 'There is no command "{command}".{suggestion}',
    cause: 'The name is misspelt, or this release does not have the command.',
    remedy: 'See: npx factline --help',
    exitCode: 2,
  },
  OPTION_UNKNOWN: {
    message: '{command} has no option {option}.{suggestion}',
    cause: 'The name is misspelt, or the option belongs to another command.',
    remedy: 'See: npx factline {command} --help',
    exitCode: 2,
  },
  ARGUMENT_MISSING: {
    message: '{command} needs {argument}.',
    cause: 'A required argument was not given.',
    remedy: 'See: npx factline {command} --help',
    exitCode: 2,
  },
  ARGUMENT_UNEXPECTED: {
    message: '{command} does not take the argument {argument}.',
    cause: 'More arguments were given than the command knows.',
    remedy: 'See: npx factline {command} --help',
    exitCode: 2,
  },
  COMMAND_STATEMENT_REFUSED: {
    message: 'PostgreSQL refused a statement of this command: {reason}',
    cause: 'The role lacks a right, or something in the schema factline was changed.',
    remedy: 'Grant what the message names; `factline doctor` checks grants, settings and migrations.',
    exitCode: 3,
  },
  CONFIRMATION_MISSING: {
    message: 'This would {effect}.',
    cause: 'The command changes something that cannot be taken back by another command.',
    remedy: 'When that is meant, run it again with --yes.',
    exitCode: 2,
  },
  REQUEST_UNANSWERED: {
    message: 'Nobody has answered the request {id} ({verb} for {consumer}) within {within}.',
    cause: 'Requests are carried out by the process that works the lane; none does, or it is busy.',
    remedy: 'Start the app: the request stays open and is carried out then. See: npx factline status',
    retryable: true,
    exitCode: 6,
  },
  REQUEST_REFUSED: {
    message: 'The request {id} ({verb} for {consumer}) was refused: {reason}',
    cause: 'The process that works the lane cannot do it in the present state.',
    remedy: 'Look at the present state: npx factline status; npx factline quarantine list',
  },
  EVENT_NOT_FOUND: {
    message: 'The log has no event {event}.',
    cause: 'The position or id is wrong, its transaction was rolled back, or retention removed it.',
    remedy: 'See the latest events: npx factline events tail',
    exitCode: 2,
  },
  PROCESSES_RUNNING: {
    message: 'Processes are running: {processes}',
    cause: 'The command changes what running processes rely on.',
    remedy: 'Stop them, then try again.',
  },
} as const;
