import { countText, durationText } from '../duration-text.ts';
import { type Finding, fail, ok, warn } from '../finding.ts';
import type { Verdict } from '../verdict.ts';
import type { VersionStanding } from './workflow-facts.ts';

/** What `doctor` says of workflows. `declared`: the versions of the app at hand, as NAME@VERSION; null where there is no app. */
export const workflowFindings = (
  verdicts: readonly Verdict[],
  declared: readonly string[] | null,
): readonly Finding[] => {
  const standing = verdicts.filter(({ class: name, workflow }) => name === 'workflow' && workflow !== null);
  if (standing.length === 0) return [];
  const findings = standing.flatMap((verdict) => [
    ...(verdict.workflow?.versions ?? []).flatMap((version) => versionFindings(verdict, version, declared)),
    ...stuckFindings(verdict),
  ]);
  if (findings.length > 0) return findings;
  const living = standing
    .flatMap(({ workflow }) => workflow?.versions ?? [])
    .reduce((sum, { instances }) => sum + instances, 0);
  const text = `${countText(standing.length, 'workflow')}, ${countText(living, 'living instance')}, none stuck or without code`;
  return [ok('workflows', text)];
};

const versionFindings = (
  { consumer }: Verdict,
  { version, instances, exact, lanes }: VersionStanding,
  declared: readonly string[] | null,
): Finding[] => {
  if (instances === 0) return [];
  const known = declared === null || declared.includes(`${consumer}@${version}`);
  const count = `${exact ? '' : 'at least '}${countText(instances, 'instance')}`;
  const have = instances === 1 ? 'has' : 'have';
  const what = `${count} of ${consumer} ${have} begun on version ${version}`;
  const remedy = `List the definition of version ${version} in \`consumers\` beside the newer one until they have ended, or cancel them: npx factline workflow list --workflow ${consumer}`;
  if (!known && lanes.owned === 0)
    return [fail('workflows', `${what}, which neither this app nor any process declares`, remedy)];
  if (!known)
    return [warn('workflows', `${what}, which this app does not declare; another process does`, remedy)];
  if (lanes.owned === 0)
    return [
      warn(
        'workflows',
        `${what}, which no running process declares`,
        'Start the app, with this version among its consumers.',
      ),
    ];
  return [];
};

const stuckFindings = ({ consumer, workflow }: Verdict): Finding[] => {
  if (workflow === null || workflow.instances.stuck === 0) return [];
  const { stuck } = workflow.instances;
  const text = `${countText(stuck, 'instance')} of ${consumer} ${stuck === 1 ? 'is' : 'are'} stuck, the oldest for ${durationText((workflow.stuckOldestSeconds ?? 0) * 1_000)}`;
  return [
    warn('workflows', text, `Look at it: npx factline workflow list --workflow ${consumer} --state stuck`),
  ];
};
