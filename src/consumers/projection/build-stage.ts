/**
 * Where a build of a projection stands.
 *
 *                 (first build of a name) ─────────────────────────────┐
 *                                                                      ▼        switch
 *   filling ──► checking ──► ready ───────────── switch ────────────► live ◄──────────────► standby
 *      │            └──► differs ─── switch, accepted ─────────────────┘                       │
 *      │                    │                                                                  │
 *      └────────────────────┴──────────── cancel ──────────────► retired ◄───────── retire ────┘
 *
 * filling    Its rows are being made from the beginning of the log, over several lanes where its keys allow that.
 * checking   It has caught up, and is compared with the build that is read; only where both have the same version.
 * ready      Nothing speaks against it. It goes live by itself, or when a person says so.
 * differs    Its rows are other rows: a person looks and decides.
 * live       The view shows it.
 * standby    It was live and is still fed, as long as code for its version runs: the way back is the same switch.
 * retired    Its table is gone.
 *
 * A crash in `checking` repeats the comparison; every other move is one transaction.
 */
export const buildStages = ['filling', 'checking', 'ready', 'differs', 'live', 'standby', 'retired'] as const;

export type BuildStage = (typeof buildStages)[number];

const followers: Readonly<Record<BuildStage, readonly BuildStage[]>> = {
  filling: ['checking', 'ready', 'live', 'retired'],
  checking: ['filling', 'ready', 'differs', 'live', 'retired'],
  ready: ['live', 'retired'],
  differs: ['checking', 'live', 'retired'],
  live: ['standby'],
  standby: ['live', 'retired'],
  retired: [],
};

/** The stages from which a build may come into this one. */
export const stagesBefore = (stage: BuildStage): readonly BuildStage[] =>
  buildStages.filter((from) => followers[from].includes(stage));

/** What a stage means, for people. */
export const stageSentences: Readonly<Record<BuildStage, string>> = {
  filling: 'its rows are being made from the beginning of the log',
  checking: 'it has caught up and is compared with the build that is read',
  ready: 'it may take the place of the build that is read',
  differs: 'its rows are not those of the build that is read',
  live: 'readers see it',
  standby: 'readers saw it before; it is the way back',
  retired: 'its table is gone',
};

/** The state of the consumer row that goes with a stage. */
export const stateOfStage = (stage: BuildStage): 'live' | 'building' | 'retired' =>
  stage === 'live' || stage === 'retired' ? stage : 'building';
