import { type Draft, payloadDigest } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries } from '../../postgres/index.ts';
import { type StoredDraft, type StoringOptions, storeDrafts, storedText } from './stored-drafts.ts';

export const publishingQueries = loadQueries<
  'publish' | 'publish_one' | 'reserve_ids' | 'read_ids' | 'publish_with_ids' | 'find_event' | 'purge_ids'
>(new URL('./publishing.sql', import.meta.url));

/** Runs one statement with one text parameter, in the transaction that publishes. */
export type RunStatement = (
  query: { name: string; text: string },
  parameter: string,
) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>;

interface Keyed {
  readonly stored: StoredDraft;
  readonly source: string;
  readonly key: string;
  readonly digest: string;
}

/** A dedupe key is unique per type; the app's name is not part of it (ENGINE.md §1). */
const idSource = (draft: Draft): string => `dedupe:${draft.type}`;

/**
 * Publishes drafts of which some have a `dedupeKey`, in two or three statements: reserve the keys, read the repeats in a new
 * snapshot, write the rest. A repeat writes nothing and answers the first event's position.
 * @throws FactlineError DEDUPE_KEY_CONFLICT when a key comes again with another payload.
 */
export const publishDeduplicated = async (
  drafts: readonly Draft[],
  options: StoringOptions,
  runStatement: RunStatement,
): Promise<number[]> => {
  const stored = storeDrafts(drafts, options);
  const keyed = new Map<string, Keyed>();
  const fresh: StoredDraft[] = [];
  drafts.forEach((draft, index) => {
    const event = stored[index];
    if (event === undefined) return;
    if (draft.dedupeKey === undefined) {
      fresh.push(event);
      return;
    }
    const entry = {
      stored: event,
      source: idSource(draft),
      key: draft.dedupeKey,
      digest: payloadDigest(draft),
    };
    const name = JSON.stringify([entry.source, entry.key]);
    const twin = keyed.get(name);
    if (twin === undefined) {
      keyed.set(name, entry);
      fresh.push(event);
    } else assertSamePayload(entry, twin.digest, 'in this publish');
  });
  const repeats = await reserve([...keyed.values()], runStatement);
  const isRepeat = new Set(repeats.map(({ entry }) => entry.stored));
  const rows = fresh.filter((event) => !isRepeat.has(event));
  const positions = repeats.map(({ position }) => position);
  if (rows.length > 0) positions.push(...(await insert(rows, keyed, runStatement)));
  return positions.sort((a, b) => a - b);
};

const assertSamePayload = (entry: Keyed, digest: string, position: number | string): void => {
  if (entry.digest === digest) return;
  throw new FactlineError('DEDUPE_KEY_CONFLICT', {
    type: entry.stored.draft.type,
    dedupeKey: entry.key,
    position,
  });
};

/** What `publishDeduplicated` would refuse, found without a write. @throws FactlineError DEDUPE_KEY_CONFLICT */
export const refuseContradictions = async (
  drafts: readonly Draft[],
  options: StoringOptions,
  runStatement: RunStatement,
): Promise<void> => {
  const seen = new Map<string, { readonly digest: string; readonly position: number | string }>();
  const entries = storeDrafts(drafts, options).flatMap((stored): Keyed[] => {
    const { draft } = stored;
    const { dedupeKey: key } = draft;
    return key === undefined ? [] : [{ stored, source: idSource(draft), key, digest: payloadDigest(draft) }];
  });
  if (entries.length === 0) return;
  const wanted = JSON.stringify(entries.map(({ source, key }) => ({ source, key })));
  for (const row of await runStatement(publishingQueries.read_ids, wanted))
    seen.set(JSON.stringify([row['source'], row['key']]), {
      digest: String(row['payload_digest']),
      position: Number(row['position']),
    });
  for (const entry of entries) {
    const name = JSON.stringify([entry.source, entry.key]);
    const twin = seen.get(name);
    if (twin === undefined) seen.set(name, { digest: entry.digest, position: 'in this publish' });
    else assertSamePayload(entry, twin.digest, twin.position);
  }
};

const reserve = async (
  entries: readonly Keyed[],
  runStatement: RunStatement,
): Promise<{ entry: Keyed; position: number }[]> => {
  const ids = entries.map(({ source, key, digest }) => ({ source, key, digest }));
  const reserved = await runStatement(publishingQueries.reserve_ids, JSON.stringify(ids));
  const isNew = new Set(reserved.map((row) => JSON.stringify([row['source'], row['key']])));
  const repeated = entries.filter(({ source, key }) => !isNew.has(JSON.stringify([source, key])));
  if (repeated.length === 0) return [];
  const wanted = JSON.stringify(repeated.map(({ source, key }) => ({ source, key })));
  const rows = await runStatement(publishingQueries.read_ids, wanted);
  return repeated.map((entry) => {
    const row = rows.find((each) => each['source'] === entry.source && each['key'] === entry.key);
    const position = Number(row?.['position']);
    assertSamePayload(entry, String(row?.['payload_digest']), position);
    return { entry, position };
  });
};

const insert = async (
  rows: readonly StoredDraft[],
  keyed: ReadonlyMap<string, Keyed>,
  runStatement: RunStatement,
): Promise<number[]> => {
  const byEvent = new Map([...keyed.values()].map((entry) => [entry.stored, entry]));
  const texts = rows.map((event) => {
    const text = storedText(event);
    const entry = byEvent.get(event);
    if (entry === undefined) return text;
    const ids = `"id_source":${JSON.stringify(entry.source)},"id_key":${JSON.stringify(entry.key)}`;
    return `${text.slice(0, -1)},${ids}}`;
  });
  const [row] = await runStatement(publishingQueries.publish_with_ids, `[${texts.join(',')}]`);
  return parsePositions(row?.['positions']);
};

/** `'12,13'` → [12, 13]; positions travel as text, whatever the driver does with bigint. */
export const parsePositions = (text: unknown): number[] =>
  typeof text === 'string' && text !== '' ? text.split(',').map(Number) : [];
