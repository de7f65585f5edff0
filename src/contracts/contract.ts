import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../foundation/index.ts';
import type { FactEvent } from './envelope.ts';
import type { PayloadSchema, TypeName } from './payload-types.ts';

export type EventKind = 'domain' | 'integration' | 'system' | 'notification';
/** Of a contract: events have one of four kinds, a command is a kind of its own. */
export type ContractKind = EventKind | 'command';
/** 'standard': until an operator sets an age. 'forever': never removed from the log. */
export type Retention = 'standard' | 'forever';
/** The least that consumers may rely on: events of one key in order, all events in order, or no order. */
export type EventOrdering = 'key' | 'global' | 'none';
/**
 * What a change of the schema must keep. backward: this code reads what earlier code wrote. forward: earlier code reads what
 * this one writes. full: both. Transitive: against every earlier schema, not only the newest. none: anything goes.
 */
export type CompatibilityMode =
  | 'backward'
  | 'forward'
  | 'full'
  | 'backward-transitive'
  | 'forward-transitive'
  | 'full-transitive'
  | 'none';
/** personal: says something about a person. secret: must not be shown to anyone who need not know it. */
export type Sensitivity = 'personal' | 'secret';

/** An event that is on its way out. Publishing it warns and goes on; the gate fails once `until` has passed. */
export interface Deprecation {
  /** The first day on which nobody should publish it any more: `2026-12-01`. */
  readonly since: string;
  /** The last day on which consumers of it are tolerated. */
  readonly until: string;
  /** The type that takes its place. */
  readonly replacement?: TypeName;
}

export interface DraftOptions {
  /** When it happened, if not now. */
  readonly time?: Date;
  /** Names the fact: within the window (default 30 days) a second publish with it writes nothing. 1 to 512 characters. */
  readonly dedupeKey?: string;
}

/** What `JSON.stringify(contract)` shows: the declaration without the schema. */
export interface EventContractJson {
  readonly type: string;
  readonly key: readonly string[];
  readonly kind: ContractKind;
  readonly retention: Retention;
  readonly ordering: EventOrdering;
  readonly compatibility: CompatibilityMode;
  readonly owner?: string;
  readonly summary?: string;
  readonly sla?: { readonly handledWithin: Duration };
  readonly highImpact?: true;
  readonly deprecated?: Deprecation;
  readonly sensitivity?: Readonly<Record<string, Sensitivity>>;
  readonly editable?: readonly string[];
  readonly producers?: readonly string[];
  /** Of a command: the types that answer it. */
  readonly replies?: readonly string[];
  readonly within?: Duration;
}

/**
 * A method's type: its parameter is compared in both directions, so that every contract is an `EventContract`
 * without arguments. Calling one through that wide type is checked at run time, like every call.
 */
type DraftMaker<T extends TypeName, D> = { make(data: D, options?: DraftOptions): Draft<T, D> }['make'];

/** A declared event (or command): call it to make a validated draft. Its function `name` and `length` mean nothing. */
export interface EventContract<T extends TypeName = TypeName, D = unknown> extends DraftMaker<T, D> {
  readonly type: T;
  /** The payload's fields that form the key, in order. */
  readonly key: readonly string[];
  readonly schema: StandardSchemaV1<unknown, D>;
  readonly kind: ContractKind;
  readonly retention: Retention;
  readonly ordering: EventOrdering;
  /** The team that owns it; undefined: the app's owner. */
  readonly owner: string | undefined;
  readonly summary: string | undefined;
  readonly sla: { readonly handledWithin: Duration } | undefined;
  /** Changes of its schema need its owner's recorded approval. */
  readonly highImpact: boolean;
  readonly compatibility: CompatibilityMode;
  readonly deprecated: Deprecation | undefined;
  /** By dotted field path; `lines.note` is the note of every line. */
  readonly sensitivity: Readonly<Record<string, Sensitivity>>;
  /** The fields that a person may change of a quarantined event, by dotted path; what lies below one, too. */
  readonly editable: readonly string[];
  /** The sources that may publish it; empty: any. */
  readonly producers: readonly string[];
  /** Further schemas that every payload fits: other encodings in which it is published. */
  readonly encodings: readonly PayloadSchema[];
  /** Narrows an event to this contract's. */
  is(event: { readonly type: string }): event is FactEvent<T, D>;
  toJSON(): EventContractJson;
}

/** As `DraftMaker`, of a command. */
type CommandMaker<T extends TypeName, D> = {
  make(data: D, options?: DraftOptions): CommandDraft<T, D>;
}['make'];

/** A declared command: one owner handles it once. Call it to make a draft for `send`, or hand it to `app.request`. */
export interface CommandContract<
  T extends TypeName = TypeName,
  D = unknown,
  R extends EventContract = EventContract,
  W extends Duration | undefined = Duration | undefined,
> extends CommandMaker<T, D>,
    EventContract<T, D> {
  readonly kind: 'command';
  /** The events that answer it: its handler publishes one of them. Empty: nobody waits for an answer. */
  readonly replies: readonly R[];
  /** How long `app.request` waits for the reply unless it says otherwise. */
  readonly within: W;
}

/** The payload of a contract. */
export type DataOf<C extends EventContract> = C extends EventContract<TypeName, infer D> ? D : never;
/** The event of a contract, as handlers receive it. */
export type EventOf<C extends EventContract> =
  C extends EventContract<infer T, infer D> ? FactEvent<T, D> : never;

/** The event that answers a command, as a union where it has several replies. */
export type ReplyOf<C extends CommandContract> =
  C extends CommandContract<TypeName, unknown, infer R>
    ? R extends EventContract
      ? EventOf<R>
      : never
    : never;

/** An event that was validated and is not published yet: what calling a contract returns. Frozen. */
export interface Draft<T extends TypeName = TypeName, D = unknown> {
  readonly contract: EventContract<T, D>;
  readonly type: T;
  /** The payload as it will be read: a frozen copy of its JSON. */
  readonly data: D;
  /** The payload's JSON text: what is written. */
  readonly dataText: string;
  readonly key: string;
  readonly keyHash: number;
  readonly subject: string;
  /** ISO 8601; without it the event happened when it is recorded. */
  readonly time?: string;
  readonly dedupeKey?: string;
}

/** A command that was validated and is not sent yet. */
export interface CommandDraft<T extends TypeName = TypeName, D = unknown> extends Draft<T, D> {
  readonly contract: CommandContract<T, D>;
}

/** Process-wide, so that contracts of a second copy of the package are recognised. */
export const contractBrand: symbol = Symbol.for('factline.contract');

/** Whether a value is a contract made by `defineEvent` or `defineCommand`. */
export const isEventContract = (value: unknown): value is EventContract =>
  typeof value === 'function' && contractBrand in value;

export const isCommandContract = (value: unknown): value is CommandContract =>
  isEventContract(value) && value.kind === 'command';

/** What a workflow's `send` takes as well: a plain draft, stored by whoever flushes like any other. */
export const isCommandDraft = (draft: Draft): draft is CommandDraft => draft.contract.kind === 'command';
