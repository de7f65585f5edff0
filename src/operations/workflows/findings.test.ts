import { describe, expect, test } from 'vitest';
import type { Verdict } from '../verdict.ts';
import { workflowFindings } from './findings.ts';
import type { VersionStanding, WorkflowStanding } from './workflow-facts.ts';

const owned = { total: 16, owned: 16 };
const nobody = { total: 16, owned: 0 };
const version = (given: Partial<VersionStanding>): VersionStanding => ({
  version: 1,
  instances: 3,
  exact: true,
  lanes: owned,
  ...given,
});
const verdict = (versions: readonly VersionStanding[], given: Partial<WorkflowStanding> = {}): Verdict =>
  ({
    consumer: 'fulfil-order',
    class: 'workflow',
    workflow: {
      instances: { queued: 0, running: 3, waiting: 0, compensating: 0, stuck: 0 },
      exact: true,
      stuckOldestSeconds: null,
      due: { instances: 0, oldestSeconds: null },
      versions,
      ...given,
    },
  }) as unknown as Verdict;
const told = (given: Verdict, declared: readonly string[] | null): string[] =>
  workflowFindings([given], declared).map(({ status, message }) => `${status}: ${message}`);

describe('what doctor says of workflows', () => {
  test('nothing where there are none, and one line where all is well', () => {
    expect(workflowFindings([], [])).toEqual([]);
    expect(told(verdict([version({})]), ['fulfil-order@1'])).toEqual([
      'ok: 1 workflow, 3 living instances, none stuck or without code',
    ]);
  });

  test('a version in the journal that no code declares fails the check after a deploy', () => {
    const old = verdict([version({ lanes: nobody }), version({ version: 2 })]);
    expect(told(old, ['fulfil-order@2'])).toEqual([
      'fail: 3 instances of fulfil-order have begun on version 1, which neither this app nor any process declares',
    ]);
    expect(workflowFindings([old], ['fulfil-order@2'])[0]?.remedy).toContain(
      'List the definition of version 1',
    );
  });

  test('another process may have the code, or none runs, or nobody can say what is declared', () => {
    const old = version({ instances: 1 });
    expect(told(verdict([old]), [])).toEqual([
      'warn: 1 instance of fulfil-order has begun on version 1, which this app does not declare; another process does',
    ]);
    const stopped = version({ lanes: nobody, exact: false });
    for (const declared of [['fulfil-order@1'], null])
      expect(told(verdict([stopped]), declared)).toEqual([
        'warn: at least 3 instances of fulfil-order have begun on version 1, which no running process declares',
      ]);
  });

  test('a version without instances may go, whatever was declared', () => {
    const gone = verdict([version({ instances: 0, lanes: nobody })]);
    expect(told(gone, [])).toEqual(['ok: 1 workflow, 0 living instances, none stuck or without code']);
  });

  test('stuck ones are told with where to look', () => {
    const instances = { queued: 0, running: 0, waiting: 0, compensating: 0, stuck: 2 };
    const stuck = verdict([version({})], { instances, stuckOldestSeconds: 7_200 });
    expect(told(stuck, ['fulfil-order@1'])).toEqual([
      'warn: 2 instances of fulfil-order are stuck, the oldest for 2 h',
    ]);
    expect(workflowFindings([stuck], null)[0]?.remedy).toContain('--state stuck');
  });
});
