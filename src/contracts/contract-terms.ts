import type { Duration } from '../foundation/index.ts';
import type {
  CompatibilityMode,
  ContractKind,
  Deprecation,
  EventContract,
  EventContractJson,
  EventOrdering,
  Retention,
  Sensitivity,
} from './contract.ts';
import type { FieldPath } from './field-paths.ts';
import type { PayloadSchema } from './payload-types.ts';

/** What a declaration may say beside type, key and schema, of an event and of a command; all of it optional. */
export interface ContractTerms<D> {
  /** The team that answers for it. Default: the app's owner. */
  readonly owner?: string;
  /** One sentence for the catalogue: what happened, or what is asked for. */
  readonly summary?: string;
  /** The promise to those who wait for its effects. */
  readonly sla?: { readonly handledWithin: Duration };
  readonly retention?: Retention;
  readonly ordering?: EventOrdering;
  /** A mistake in it hurts: changes of its schema need the owner's recorded approval. Default false. */
  readonly highImpact?: boolean;
  /** What every change of its schema must keep; checked by `factline contracts check`. Default backward. */
  readonly compatibility?: CompatibilityMode;
  readonly deprecated?: Deprecation;
  /** Which fields tell about a person, or are secret: `{ 'customer.email': 'personal' }`. */
  readonly sensitivity?: { readonly [Path in FieldPath<D>]?: Sensitivity };
  /** Fields that a person may change of a quarantined event before it is tried again: `['note', 'lines.sku']`. Never the key's. */
  readonly editable?: readonly NoInfer<FieldPath<D>>[];
  /** The names of the apps that publish it; another app's publish is refused. Without it any app may. */
  readonly producers?: readonly [string, ...string[]];
  /** Further schemas of the same payload, made by `avroSchema`, `protobufSchema` or `jsonSchema`: every payload must fit them too. */
  readonly encodings?: readonly PayloadSchema[];
}

/** The terms of a contract with every default filled in. */
type FilledTerms = Pick<
  EventContract,
  | 'kind'
  | 'retention'
  | 'ordering'
  | 'compatibility'
  | 'owner'
  | 'summary'
  | 'sla'
  | 'highImpact'
  | 'deprecated'
  | 'sensitivity'
  | 'editable'
  | 'producers'
>;

export const termsOf = (declared: ContractTerms<unknown>, kind: ContractKind): FilledTerms => ({
  kind,
  retention: declared.retention ?? 'standard',
  ordering: declared.ordering ?? 'key',
  compatibility: declared.compatibility ?? 'backward',
  owner: declared.owner,
  summary: declared.summary,
  sla: declared.sla && Object.freeze({ ...declared.sla }),
  highImpact: declared.highImpact ?? false,
  deprecated: declared.deprecated && Object.freeze({ ...declared.deprecated }),
  sensitivity: Object.freeze({ ...declared.sensitivity }) as Readonly<Record<string, Sensitivity>>,
  editable: Object.freeze([...(declared.editable ?? [])]),
  producers: Object.freeze([...(declared.producers ?? [])]),
});

const isSaid = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== false;

/** What a contract shows of its terms: nothing that says nothing. */
export const saidOf = (terms: FilledTerms): Omit<EventContractJson, 'type' | 'key'> =>
  Object.fromEntries(
    Object.entries(terms).filter(([, value]) => isSaid(value)),
  ) as unknown as EventContractJson;
