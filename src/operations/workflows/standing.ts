import { countText, durationText } from '../duration-text.ts';
import type { ConsumerFacts } from '../facts.ts';
import { abandonedLanes } from '../limits.ts';
import type { Reason } from '../verdict.ts';
import { livingStates } from './instances.ts';
import { instancesOf, type VersionFacts, type WorkflowStanding } from './workflow-facts.ts';

/** Versions with instances and without a process that has their code. */
export const versionsWithoutCode = ({ workflow }: Pick<ConsumerFacts, 'workflow'>): readonly VersionFacts[] =>
  (workflow?.versions ?? []).filter(
    (version) =>
      instancesOf(version) > 0 &&
      version.lanes.length > 0 &&
      abandonedLanes(version).length === version.lanes.length,
  );

/** Versions with instances in lanes that nobody works, though somebody has their code. */
const versionsWithGaps = ({ workflow }: Pick<ConsumerFacts, 'workflow'>): readonly VersionFacts[] =>
  (workflow?.versions ?? []).filter((version) => {
    const abandoned = abandonedLanes(version).length;
    return instancesOf(version) > 0 && abandoned > 0 && abandoned < version.lanes.length;
  });

/** Nobody goes on with some of its instances. */
export const isAbandoned = (facts: Pick<ConsumerFacts, 'workflow'>): boolean =>
  versionsWithoutCode(facts).length > 0 || versionsWithGaps(facts).length > 0;

const seconds = (ms: number): number => Math.max(0, Math.round(ms) / 1_000);

const oldestMs = (all: readonly (number | null)[]): number | null =>
  all.reduce((oldest, ms) => (ms === null ? oldest : Math.max(oldest ?? 0, ms)), null);

export const standingOfWorkflow = ({
  workflow,
}: Pick<ConsumerFacts, 'workflow'>): WorkflowStanding | null => {
  if (workflow === null) return null;
  const { versions } = workflow;
  const stuckMs = oldestMs(versions.map((version) => version.stuckMs));
  const dueMs = oldestMs(versions.map(({ due }) => due?.ageMs ?? null));
  return {
    instances: Object.fromEntries(
      livingStates.map((state) => [
        state,
        versions.reduce((sum, { instances }) => sum + instances[state], 0),
      ]),
    ) as WorkflowStanding['instances'],
    exact: versions.every(({ exact }) => exact),
    stuckOldestSeconds: stuckMs === null ? null : seconds(stuckMs),
    due: {
      instances: versions.reduce((sum, { due }) => sum + (due?.instances ?? 0), 0),
      oldestSeconds: dueMs === null ? null : seconds(dueMs),
    },
    versions: versions.map((version) => ({
      version: version.version,
      instances: instancesOf(version),
      exact: version.exact,
      lanes: {
        total: version.lanes.length,
        owned: version.lanes.filter(({ owner }) => owner !== null).length,
      },
    })),
  };
};

const atLeast = (exact: boolean, text: string): string => (exact ? text : `at least ${text}`);

/** Instances that no process goes on with. Of a workflow that nobody works at all one reason is enough. */
export const abandonedReasons = (facts: ConsumerFacts): Reason[] => {
  if (facts.lanes.length > 0 && abandonedLanes(facts).length === facts.lanes.length) return [];
  const waiting = (version: VersionFacts): string =>
    atLeast(version.exact, countText(instancesOf(version), 'instance waits', 'instances wait'));
  return [
    ...versionsWithoutCode(facts).map(
      (version): Reason => ({
        code: 'no-code',
        text: `no process has the code of version ${version.version}: ${waiting(version)} for it`,
      }),
    ),
    ...versionsWithGaps(facts).map(
      (version): Reason => ({
        code: 'lanes-unowned',
        text: `no process works ${abandonedLanes(version).length} of the ${version.lanes.length} lanes of version ${version.version}`,
      }),
    ),
  ];
};

export const stuckReasons = (facts: ConsumerFacts): Reason[] => {
  const standing = standingOfWorkflow(facts);
  if (standing === null || standing.stuckOldestSeconds === null) return [];
  const { instances, exact, stuckOldestSeconds } = standing;
  const count = atLeast(exact, countText(instances.stuck, 'instance is stuck', 'instances are stuck'));
  const text = `${count} and needs a person, the oldest for ${durationText(stuckOldestSeconds * 1_000)}`;
  return [{ code: 'instances-stuck', text: instances.stuck === 1 ? text : text.replace('needs', 'need') }];
};
