import type { EventContract } from '../contract.ts';
import type { Upcaster } from '../upcasting/define-upcaster.ts';

/** A consumer as the gate sees it: declared in code, and where a database was asked, running. */
export interface GateConsumer {
  readonly name: string;
  readonly class: 'projection' | 'operational' | 'workflow';
  readonly owner?: string;
  /** What the code says; none of a consumer that is only known to run, such as another app's. */
  readonly types: readonly string[];
  /** Those of `types` that it only reads as a later version, through an upcaster. */
  readonly upcast?: readonly string[];
  readonly ordering: 'key' | 'global' | 'none';
  /** By type, dotted paths of the payload; null: not declared, so it may read everything. */
  readonly reads: ReadonlyMap<string, readonly string[]> | null;
  /** The processes that run it now. */
  readonly live?: readonly LiveConsumer[];
}

/** The processes of one release. */
export interface LiveConsumer {
  readonly codeVersion: string;
  readonly processes: number;
  readonly types: readonly string[];
}

/** Whether a consumer handles a type, in the code or in what runs. */
export const handles = ({ types, live = [] }: GateConsumer, type: string): boolean =>
  types.includes(type) || live.some((release) => release.types.includes(type));

/** What the gate looks at: an app's declarations, without the app. */
export interface GateSubject {
  readonly app: string;
  /** Owns the contracts and consumers that name no owner. Default: the app. */
  readonly owner?: string;
  readonly contracts: readonly EventContract[];
  readonly upcasters: readonly Upcaster[];
  readonly consumers: readonly GateConsumer[];
}
