/** Commands: sending them, handling them once, waiting for what answers them. */
export const requestErrors = {
  DRAFT_MISDIRECTED: {
    message: '{type} is {kind}, and it was given to {given}: use {verb}.',
    cause: 'An event is published for everybody; a command is sent to its one handler.',
    remedy: 'Call {verb} with it.',
  },
  COMMAND_HANDLED_TWICE: {
    message: 'The command {type} has more than one handler: {handlers}.',
    cause: 'A command asks for something to be done once; each of its handlers would do it.',
    remedy:
      "Leave it to one of them. Under a new name it is the same handler with formerly: ['EARLIER NAME']; one that no longer handles it gives it up with: npx factline consumers accept NAME",
    exitCode: 2,
  },
  COMMAND_REPLIED_TWICE: {
    message: '{consumer} answered the command {type} ({id}) more than once: {replies}. Nothing was written.',
    cause: 'Whoever asked takes the first reply; a second one that says something else would go unread.',
    remedy: 'Publish exactly one of the replies in the transaction of the handler.',
  },
  REQUEST_INVALID: {
    message: '{type} cannot be requested: {reason}.',
    cause:
      'A request is a command with declared replies and a time limit: what waits without an end is forgotten by everybody but the server.',
    remedy: '{cure}',
  },
  REQUEST_TIMEOUT: {
    message: 'The command {type} ({id}) was not answered within {within}: {known}.',
    cause: 'Its handler is behind, failed, does not run, or published none of the declared replies.',
    remedy:
      'The command stays in the log and is handled all the same, so do not simply send it again. See: npx factline events show {position}',
  },
} as const;
