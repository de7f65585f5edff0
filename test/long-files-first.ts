import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * By how long they take. Vitest knows that only of files that it has run here before, and a long one that begins last keeps the
 * others waiting. One that is missing here costs a few seconds, no more.
 */
const longFiles = [
  'examples/order-pipeline/sagas.test.ts',
  'src/testing/exploring/explore-crashes.int.test.ts',
  'test/documents.int.test.ts',
  'src/consumers/workflow/deaths.int.test.ts',
  'src/consumers/projection/killed.int.test.ts',
  'test/faults/processes.int.test.ts',
  'test/faults/engine-steps.int.test.ts',
  'test/faults/chaos.int.test.ts',
  'test/runbooks/quarantine.int.test.ts',
  'test/runbooks/replay.int.test.ts',
  'test/runbooks/alerts.int.test.ts',
  'test/operational/replay-server-crash.int.test.ts',
  'src/cli/quarantine.int.test.ts',
  'examples/order-pipeline/pipeline.test.ts',
  'examples/order-pipeline/orchestrated.test.ts',
  'src/log/plans.int.test.ts',
  'src/app/requests/requests.int.test.ts',
  'src/replay/rebuild/rebuild.int.test.ts',
  'src/app/idle.int.test.ts',
  'src/consumers/workflow/bad-input.int.test.ts',
  'src/operations/workflows/plans.int.test.ts',
  'src/cli/contracts-gate.test.ts',
  'test/chaos/killed.int.test.ts',
  'test/workflow/kill.int.test.ts',
  'src/cli/doctor.int.test.ts',
  'src/cli/authority.int.test.ts',
  'examples/order-pipeline/main.test.ts',
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = longFiles.findIndex((file) => moduleId.endsWith(`/${file}`));
  return rank === -1 ? longFiles.length : rank;
};

export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => rankOf(one) - rankOf(other));
  }
}
