import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { canonicalJson, keyHash } from '../foundation/index.ts';
import type { Draft, EventContract } from './contract.ts';
import type { EnvelopeMeta } from './envelope.ts';
import type { TypeName } from './payload-types.ts';

export interface DraftParts<T extends TypeName, D> {
  readonly contract: EventContract<T, D>;
  readonly dataText: string;
  readonly key: string;
  readonly subject: string;
  readonly time: string | undefined;
  readonly dedupeKey: string | undefined;
}

const deepFreeze = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.values(value)) deepFreeze(member);
  Object.freeze(value);
};

/** Process-wide, so that drafts of a second copy of the package are recognised. */
const brand: unique symbol = Symbol.for('factline.draft') as never;

class ValidatedDraft<T extends TypeName, D> implements Draft<T, D> {
  readonly contract: EventContract<T, D>;
  readonly dataText: string;
  readonly key: string;
  readonly keyHash: number;
  readonly subject: string;
  declare readonly time?: string;
  declare readonly dedupeKey?: string;
  #data: { readonly value: D } | undefined;

  constructor(parts: DraftParts<T, D>) {
    this.contract = parts.contract;
    this.dataText = parts.dataText;
    this.key = parts.key;
    this.keyHash = keyHash(parts.key);
    this.subject = parts.subject;
    if (parts.time !== undefined) this.time = parts.time;
    if (parts.dedupeKey !== undefined) this.dedupeKey = parts.dedupeKey;
    Object.freeze(this);
  }

  get [brand](): true {
    return true;
  }

  get type(): T {
    return this.contract.type;
  }

  /** Parsed on first use: publishing needs the text only, and the caller's own object may change afterwards. */
  get data(): D {
    if (!this.#data) {
      const value = JSON.parse(this.dataText) as D;
      deepFreeze(value);
      this.#data = { value };
    }
    return this.#data.value;
  }

  toJSON(): Pick<Draft<T, D>, 'type' | 'key' | 'data' | 'time' | 'dedupeKey'> {
    const { type, key, data, time, dedupeKey } = this;
    return {
      type,
      key,
      data,
      ...(time === undefined ? {} : { time }),
      ...(dedupeKey === undefined ? {} : { dedupeKey }),
    };
  }

  [inspect.custom](): string {
    return `Draft ${this.type} ${this.key} ${this.dataText}`;
  }
}

export const createDraft = <T extends TypeName, D>(parts: DraftParts<T, D>): Draft<T, D> =>
  new ValidatedDraft(parts);

/** Whether a value came from calling a contract. */
export const isDraft = (value: unknown): value is Draft =>
  typeof value === 'object' && value !== null && brand in value;

/** What the publisher adds to a draft. */
export interface DraftEnvelope {
  readonly id: string;
  readonly source: string;
  readonly correlationId: string;
  readonly causationId?: string | null;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly replayId?: string;
  readonly replayMode?: string;
  readonly backfill?: string;
}

const metaText = (draft: Draft, envelope: DraftEnvelope): string => {
  const { correlationId, causationId, traceparent, tracestate, replayId, replayMode, backfill } = envelope;
  const meta: EnvelopeMeta = {
    subject: draft.subject,
    correlationId,
    ...(causationId == null ? {} : { causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(draft.dedupeKey === undefined ? {} : { dedupeKey: draft.dedupeKey }),
    ...(replayId === undefined ? {} : { replayid: replayId }),
    ...(replayMode === undefined ? {} : { replaymode: replayMode }),
    ...(backfill === undefined ? {} : { backfill }),
  };
  return JSON.stringify(meta);
};

/**
 * The JSON object of one event in the publish statement's parameter:
 * `{ id, type, source, key, key_hash, data, meta, time, class }`; `time` is null when the database's clock decides.
 * The payload's text is used as it is: it was made when the contract was called.
 */
export const storedDraftText = (draft: Draft, envelope: DraftEnvelope): string =>
  `{"id":"${envelope.id}","type":"${draft.type}","source":${JSON.stringify(envelope.source)}` +
  `,"key":${JSON.stringify(draft.key)},"key_hash":${draft.keyHash},"data":${draft.dataText}` +
  `,"meta":${metaText(draft, envelope)},"time":${draft.time === undefined ? 'null' : `"${draft.time}"`}` +
  `,"class":"${draft.contract.retention}"}`;

/** The same as the values of `publish_one`: id, type, source, key, key hash, data, meta, time, class. */
export const storedDraftValues = (draft: Draft, envelope: DraftEnvelope): (string | number | null)[] => [
  envelope.id,
  draft.type,
  envelope.source,
  draft.key,
  draft.keyHash,
  draft.dataText,
  metaText(draft, envelope),
  draft.time ?? null,
  draft.contract.retention,
];

/** SHA-256 of the payload's canonical JSON: tells a repeat of a dedupeKey from a contradiction. */
export const payloadDigest = (draft: Draft): string =>
  createHash('sha256').update(canonicalJson(draft.data)).digest('hex');
