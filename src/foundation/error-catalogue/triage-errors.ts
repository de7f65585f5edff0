/** What people do about quarantined events. */
export const triageErrors = {
  QUARANTINE_GROUP_NOT_FOUND: {
    message: 'There is no group {id} in the quarantine.',
    cause: 'The number is wrong.',
    remedy: 'See: npx factline quarantine groups --all',
    exitCode: 2,
  },
  QUARANTINE_GROUP_EMPTY: {
    message: 'Nothing of group {id} is in quarantine.',
    cause: 'All of its events were handled, discarded, or are being tried again.',
    remedy: 'See: npx factline quarantine groups',
  },
  RELEASE_UNDER_WAY: {
    message: 'Group {id} is being released already: release {release}, asked for by {actor}.',
    cause:
      'A group is released by one person at a time, so that nothing is sent twice and a canary means something.',
    remedy:
      'Watch it with `factline quarantine releases`, or end it with `factline quarantine stop {release}`.',
  },
  RELEASE_NOT_FOUND: {
    message: 'There is no release {id} under way.',
    cause: 'The number is wrong, or the release has ended.',
    remedy: 'See: npx factline quarantine releases',
    exitCode: 2,
  },
  PATCH_INVALID: {
    message: 'The patch does not apply at {path}: {reason}.',
    cause: 'It is no JSON Patch (RFC 6902), or the payload is not what it expects.',
    remedy: 'Look at the payload: npx factline quarantine show ID. Nothing was changed.',
    exitCode: 2,
  },
  EDIT_REFUSED: {
    message: 'The event #{id} cannot be edited so: {reason}.',
    cause:
      'Only fields that the contract lists under `editable` may be changed, and never what forms the key.',
    remedy: 'Discard the event, or repair the code that fails at it. Nothing was changed.',
  },
  REDIRECT_REFUSED: {
    message: 'The event #{id} cannot be redirected.',
    cause:
      'Only what a handler failed at and what is in quarantine now can go to a repair: it was released meanwhile, only waits behind another event, or belongs to a projection.',
    remedy: 'See what it is now: npx factline quarantine show {id}. Nothing was changed.',
  },
  REPAIR_UNKNOWN: {
    message: 'The handler {consumer} declares no repair {repair}.',
    cause: 'A person has redirected the event to a repair, and the code that runs here is older or newer.',
    remedy:
      'Deploy code that declares it, or give the event back to the handler: npx factline quarantine redirect ID --back --reason "…"',
  },
  RESTORE_REFUSED: {
    message: 'The discarded event #{id} cannot be restored: {reason}.',
    cause: 'It would be handled in another order than it happened, or its time to be restored is over.',
    remedy: '{remedy}',
  },
} as const;
