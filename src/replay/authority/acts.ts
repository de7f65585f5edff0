/** What a person may be for Factline. A name may have several roles; everybody may look. */
export const roles = ['viewer', 'responder', 'operator', 'approver', 'steward', 'admin', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** First aid: stops or repeats something, changes nothing for good. */
const firstAid = ['responder', 'operator', 'admin'] as const;
/** Changes that stay. */
const operation = ['operator', 'admin'] as const;

/** Every act that changes something, and the roles of which one is needed. The only place where that is decided. */
export const acts = {
  'audit.read': ['auditor', 'admin'],
  'roles.change': ['admin'],

  'consumer.pause': firstAid,
  'consumer.resume': firstAid,
  'consumer.accept': ['steward', 'admin'],

  'quarantine.retry': firstAid,
  'quarantine.resolve': firstAid,
  'quarantine.discard': operation,
  'quarantine.release': operation,
  'quarantine.redirect': operation,
  'quarantine.stop': firstAid,
  'quarantine.edit': ['steward', 'admin'],
  'quarantine.restore': operation,
  'quarantine.assign': firstAid,
  'quarantine.note': firstAid,
  'quarantine.snooze': firstAid,
  /** Showing what contracts call personal or secret. */
  'quarantine.reveal': ['steward', 'admin'],

  'projection.rebuild': operation,
  'projection.cancel': operation,
  'projection.switch': operation,
  /** Back to what readers saw before. */
  'projection.rollback': firstAid,
  'projection.retire': operation,

  /** Ends an instance; its steps are undone. */
  'workflow.cancel': operation,
  'workflow.retry': firstAid,
  /** Counts a step as dealt with although it was not. */
  'workflow.skip': operation,
  'workflow.compensate': operation,
  'workflow.patch': ['steward', 'admin'],
  'workflow.fork': operation,
  /** Showing what contracts call personal or secret. */
  'workflow.reveal': ['steward', 'admin'],

  /** Showing what contracts call personal or secret. */
  'events.reveal': ['steward', 'admin'],
  /** Facts of the past enter the log, for good. */
  'log.backfill': ['steward', 'admin'],
  'log.restored': ['admin'],

  'replay.plan': firstAid,
  'replay.estimate': firstAid,
  'replay.request': firstAid,
  'replay.approve': ['approver', 'admin'],
  'replay.reject': ['approver', 'admin'],
  /** Approving alone, in an emergency. */
  'replay.break-glass': operation,
  'replay.run': operation,
  'replay.pause': firstAid,
  'replay.resume': operation,
  'replay.abort': firstAid,
  /** What follows by itself: it expires, ramps up, verifies, ends. */
  'replay.advance': operation,
} as const satisfies Readonly<Record<string, readonly Role[]>>;

export type ActName = keyof typeof acts;
