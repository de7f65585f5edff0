/** The contract gate and its lock file. */
export const gateErrors = {
  LOCK_CONFLICT: {
    message: '{file} holds the conflict markers of a merge, from line {line} on.',
    cause: 'Two branches changed the same contract, or the same line of the list of waivers.',
    remedy:
      'Merge the code first. Then take either side of this file whole (git checkout --ours {file}) and let Factline write what the code says: npx factline contracts accept',
    exitCode: 2,
  },
  LOCK_INVALID: {
    message: '{file} is not a lock file: {issues}',
    cause: 'It was changed by hand, or cut off.',
    remedy:
      'Restore it from the main branch (git checkout main -- {file}), then: npx factline contracts accept',
    exitCode: 2,
  },
  LOCK_EDITED: {
    message: '{file} does not hold what was accepted for {contracts}: a digest does not match.',
    cause: 'It was changed by hand, or a merge joined two changes of one contract that nobody has compared.',
    remedy:
      'Restore the file from the main branch (git checkout main -- {file}), then accept what the code says: npx factline contracts accept',
    exitCode: 2,
  },
  LOCK_NEWER: {
    message: '{file} has the version {version}; this release of Factline reads up to {known}.',
    cause: 'A newer release of Factline wrote it.',
    remedy: 'Install the release that the rest of the team uses.',
    exitCode: 2,
  },
  LOCK_UNREACHABLE: {
    message: '{file} cannot be read or written: {reason}',
    cause: 'The file system refused it.',
    remedy: 'Check the path, its rights and the space that is left.',
    exitCode: 2,
  },
  CONTRACT_UNKNOWN: {
    message: 'Neither the code nor the lock file knows the contract {type}; there are: {known}',
    cause: 'The name is misspelt, or the app does not list the contract.',
    remedy: 'See what is there: npx factline contracts catalog',
    exitCode: 2,
  },
  CONTRACT_NOT_ACCEPTED: {
    message: 'The lock file does not know {type} yet.',
    cause: 'An approval stands beside what was accepted.',
    remedy: 'Accept it first: npx factline contracts accept {type}',
    exitCode: 2,
  },
  ACCEPT_REFUSED: {
    message:
      'Nothing was written: {count} of the changes would break somebody, or need another word than accept.',
    cause: 'Accepting is for changes that are safe under the mode of their contract.',
    remedy: 'See what, whom and how to do it safely: npx factline contracts check',
  },
  NOT_THE_OWNER: {
    message: '{name} cannot decide for {type}: its owner is {owner}.',
    cause:
      "Approvals and waivers are the owner's word: their name is the owner, or begins with it and a slash.",
    remedy: 'Ask {owner}; a member of that team signs as --by {owner}/NAME.',
  },
  WAIVER_INVALID: {
    message: 'The waiver is not complete or not possible: {reason}',
    cause: 'An exception names its rule, who answers for it, why, and until when.',
    remedy:
      'For example: npx factline contracts accept {type} --waive RULE --path /field --by OWNER/NAME --reason TEXT --until 2030-01-31',
    exitCode: 2,
  },
} as const;
