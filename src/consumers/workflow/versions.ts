import { ContractSet } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { type AnyWorkflow, isWorkflow } from './definition.ts';

/** What reads the log for all versions of a workflow: starts instances of the newest, keeps events for all. */
export interface RouterDefinition extends AnyWorkflow {
  readonly versions: readonly AnyWorkflow[];
}

/** What runs the instances of one version. It reads nothing from the log; its lanes share out instance keys. */
export interface ExecutorDefinition extends ConsumerDefinition {
  readonly class: 'workflow';
  readonly workflow: AnyWorkflow;
}

export const isExecutor = (definition: ConsumerDefinition): definition is ExecutorDefinition =>
  'workflow' in definition;

/** The name under which the executor of a version is stored; `@` stands in no name that people give. */
export const executorName = (workflow: string, version: number): string => `${workflow}@${version}`;

export const executorOf = (workflow: AnyWorkflow): ExecutorDefinition =>
  Object.freeze({
    class: 'workflow',
    name: executorName(workflow.name, workflow.version),
    ...(workflow.owner === undefined ? {} : { owner: workflow.owner }),
    contracts: [],
    types: new Set<string>(),
    upcasters: [],
    reads: null,
    ordering: 'key',
    lanes: workflow.lanes,
    startAt: 'now',
    formerly: workflow.formerly.map((name) => executorName(name, workflow.version)),
    version: workflow.version,
    workflow,
  });

const routerOf = (versions: readonly AnyWorkflow[]): RouterDefinition => {
  const newest = versions.reduce((best, each) => (each.version > best.version ? each : best));
  const awaited = new Set(versions.flatMap((each) => [...each.awaited]));
  // An older version's start events start nothing any more.
  const wanted = new Set([...newest.starts, ...awaited]);
  const all = new ContractSet(versions.flatMap((each) => each.contracts));
  const contracts = [...all].filter(({ type }) => wanted.has(type));
  return Object.freeze({
    ...newest,
    contracts: Object.freeze(contracts),
    types: new Set(contracts.map(({ type }) => type)),
    awaited,
    formerly: [...new Set(versions.flatMap((each) => each.formerly))],
    versions: Object.freeze([...versions]),
  });
};

export interface SortedDefinitions {
  /** One per name, as people know them. */
  readonly consumers: readonly ConsumerDefinition[];
  /** One per workflow and version. */
  readonly executors: readonly ExecutorDefinition[];
}

/**
 * Puts the versions of each workflow together.
 * @throws FactlineError CONSUMER_DUPLICATE when one version of a workflow is declared twice
 */
export const sortDefinitions = (definitions: readonly ConsumerDefinition[]): SortedDefinitions => {
  const workflows = definitions.filter(isWorkflow);
  const byName = Map.groupBy(workflows, ({ name }) => name);
  for (const [name, versions] of byName) {
    if (new Set(versions.map(({ version }) => version)).size < versions.length)
      throw new FactlineError('CONSUMER_DUPLICATE', { consumer: name });
  }
  const seen = new Set<string>();
  const consumers = definitions.flatMap((definition): readonly ConsumerDefinition[] => {
    if (!isWorkflow(definition)) return [definition];
    if (seen.has(definition.name)) return [];
    seen.add(definition.name);
    return [routerOf(byName.get(definition.name) ?? [definition])];
  });
  return { consumers, executors: workflows.map(executorOf) };
};
