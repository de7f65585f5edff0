import type pg from 'pg';
import { type ConsumerDefinition, contractSetOf } from '../../consumers/index.ts';
import type { EventContract } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { Actor } from '../authority/actor.ts';
import { perform } from '../authority/perform.ts';
import { moveReplay } from '../lifecycle/move-replay.ts';
import { modeOf, type ReplayMode } from './class-rules.ts';
import { assertSelectable } from './declared-fields.ts';
import { checkManifest, digestOf, type ReplayManifest } from './manifest.ts';
import { fieldsOf } from './predicate.ts';
import { type GroupSelection, type LogSelection, manifestInvalid } from './selection.ts';

const sql = loadQueries<
  | 'find_consumer'
  | 'consumer_names'
  | 'log_end'
  | 'is_future'
  | 'group_fingerprints'
  | 'insert_replay'
  | 'revise_replay'
  | 'insert_revision'
>(new URL('./request.sql', import.meta.url));

/** The live consumer that a replay is about, as it is stored. */
export interface ReplayedConsumer {
  readonly id: number;
  readonly app: string;
  readonly name: string;
  readonly class: 'projection' | 'operational';
  readonly types: readonly string[];
  readonly startPosition: number;
  readonly handledWithinMs: number | null;
}

/** @throws FactlineError CONSUMER_UNKNOWN also when it was there once. */
export const findReplayed = async (on: Queryable, name: string): Promise<ReplayedConsumer> => {
  const [row] = await run(on, sql.find_consumer, [name]);
  if (row === undefined) {
    const known = (await run(on, sql.consumer_names)).map((each) => String(each['name']));
    throw new FactlineError('CONSUMER_UNKNOWN', {
      consumer: name,
      known: known.length === 0 ? 'none' : known,
    });
  }
  return {
    id: Number(row['id']),
    app: String(row['app']),
    name: String(row['name']),
    class: row['class'] as ReplayedConsumer['class'],
    types: row['types'] as string[],
    startPosition: Number(row['start_position']),
    handledWithinMs: row['handled_within_ms'] as number | null,
  };
};

export interface LogEnd {
  /** The highest position that is visible. */
  readonly head: number;
  readonly compactedBelow: number;
  readonly epoch: string;
  /** By the database's clock, ISO 8601. */
  readonly now: string;
}

export const readLogEnd = async (on: Queryable): Promise<LogEnd> => {
  const [row] = await run(on, sql.log_end);
  return {
    head: Number(row?.['head']),
    compactedBelow: Number(row?.['compacted_below']),
    epoch: String(row?.['log_epoch']),
    now: String(row?.['now']),
  };
};

/** The code at hand: what its consumers and contracts declare decides what may be planned. */
export interface ReplayCode {
  readonly codeVersion: string;
  readonly definitions: readonly ConsumerDefinition[];
  readonly contracts: readonly EventContract[];
}

export interface PlanRequest {
  readonly actor: Actor;
  /** As a person wrote it; see `ReplayManifest`. */
  readonly manifest: unknown;
  readonly code: ReplayCode;
  /** A replay that gets another revision; everything that was estimated or approved is void then. */
  readonly revise?: number;
}

interface Planned {
  readonly manifest: ReplayManifest;
  readonly consumer: ReplayedConsumer;
  readonly mode: ReplayMode;
}

/**
 * Writes a replay down as a draft, or another revision of one, and gives its number. Nothing runs.
 * @throws FactlineError REPLAY_MANIFEST_INVALID, REPLAY_UNBOUNDED, REPLAY_MODE_REFUSED, REPLAY_FIELD_REFUSED,
 *   CONSUMER_UNKNOWN, REPLAY_STEP_REFUSED, FORBIDDEN
 */
export const planReplay = async (pool: pg.Pool, request: PlanRequest): Promise<number> => {
  const planned = await check(pool, request);
  const { manifest, consumer } = planned;
  const act = {
    actor: request.actor,
    act: 'replay.plan',
    target: (id: number) => `replay ${id}`,
    reason: manifest.reason,
    details: { consumer: consumer.name, title: manifest.title, manifest: digestOf(manifest) },
  } as const;
  return perform(pool, act, (client) =>
    request.revise === undefined
      ? insert(client, request, planned)
      : revise(client, request, { ...planned, id: request.revise }),
  );
};

const check = async (on: Queryable, { manifest: given, code }: PlanRequest): Promise<Planned> => {
  const manifest = checkManifest(given);
  const consumer = await findReplayed(on, manifest.consumer);
  const definition = definitionOf(code, consumer.name);
  const mode = modeOf(definition, manifest);
  const { selection } = manifest;
  if (selection.source === 'log') await checkLog(on, selection, { definition, consumer, code });
  else await checkGroup(on, selection, consumer);
  return { manifest, consumer, mode };
};

/** @throws FactlineError CONSUMER_UNKNOWN when the code at hand does not declare it (any more). */
export const definitionOf = (code: ReplayCode, name: string): ConsumerDefinition => {
  const definition = code.definitions.find((each) => each.name === name || each.formerly.includes(name));
  if (definition !== undefined) return definition;
  throw new FactlineError('CONSUMER_UNKNOWN', {
    consumer: name,
    known: code.definitions.map((each) => each.name),
  });
};

interface Declared {
  readonly definition: ConsumerDefinition;
  readonly consumer: ReplayedConsumer;
  readonly code: ReplayCode;
}

const checkLog = async (on: Queryable, selection: LogSelection, declared: Declared): Promise<void> => {
  const { definition, consumer, code } = declared;
  const { types, to, until, where } = selection;
  const readable = consumer.types.filter((type) => definition.types.has(type));
  const stranger = types?.find((type) => !readable.includes(type));
  if (stranger !== undefined)
    throw manifestInvalid(
      'selection.types',
      `types that ${consumer.name} reads (${readable.join(', ')})`,
      stranger,
    );
  const { head } = await readLogEnd(on);
  if (to !== null && to > head)
    throw manifestInvalid('selection.to', `at most ${head}, where the log ends`, to);
  if (until !== null && (await run(on, sql.is_future, [until]))[0]?.['future'] === true)
    throw manifestInvalid('selection.until', 'a time that has passed', until);
  if (where === null) return;
  const contracts = [...contractSetOf(definition), ...code.contracts];
  for (const type of types ?? readable) {
    const contract = contracts.find((each) => each.type === type);
    if (contract !== undefined) for (const field of fieldsOf(where)) assertSelectable(contract, field);
  }
};

const checkGroup = async (
  on: Queryable,
  { fingerprint }: GroupSelection,
  { id }: ReplayedConsumer,
): Promise<void> => {
  const known = (await run(on, sql.group_fingerprints, [id])).map((row) => String(row['fingerprint']));
  if (known.includes(fingerprint)) return;
  const expected = `one of what it has in quarantine: ${known.join(', ') || 'nothing'}`;
  throw manifestInvalid('selection.fingerprint', expected, fingerprint);
};

const insert = async (client: Queryable, { actor, code }: PlanRequest, planned: Planned): Promise<number> => {
  const { manifest, consumer, mode } = planned;
  const [row] = await run(client, sql.insert_replay, [
    consumer.app,
    consumer.name,
    consumer.id,
    consumer.class,
    mode,
    manifest.effects.policy,
    code.codeVersion,
    actor.name,
  ]);
  const id = Number(row?.['id']);
  await insertRevision(client, { id, revision: 1, manifest, by: actor.name });
  return id;
};

const revise = async (
  client: Queryable,
  { actor, code }: PlanRequest,
  { id, manifest, consumer }: Planned & { readonly id: number },
): Promise<number> => {
  await moveReplay(client, { id, step: 'edit' });
  const policy = manifest.effects.policy;
  const values = [id, consumer.id, policy, code.codeVersion, actor.name, consumer.name];
  const [row] = await run(client, sql.revise_replay, values);
  if (row === undefined)
    throw manifestInvalid(
      'consumer',
      'the consumer that the replay is about; plan another replay for this one',
      consumer.name,
    );
  await insertRevision(client, { id, revision: Number(row['revision']), manifest, by: actor.name });
  return id;
};

interface Revision {
  readonly id: number;
  readonly revision: number;
  readonly manifest: ReplayManifest;
  readonly by: string;
}

const insertRevision = async (client: Queryable, { id, revision, manifest, by }: Revision): Promise<void> => {
  await run(client, sql.insert_revision, [id, revision, JSON.stringify(manifest), digestOf(manifest), by]);
};
