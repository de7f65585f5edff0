import type { Row } from '../../postgres/index.ts';
import type { ConsumerState, HeldPart } from '../runner.ts';

/** What a process declares of one consumer: its generation (0: none is exactly like it), and those it has all code for. */
export interface Declared {
  readonly generation: number;
  readonly covers: readonly number[];
}

/**
 * held: its session lock is there. ended: it took the lock in the present life of the server, and it is gone. awaited: it had one in an
 * earlier life of the server, and lanes; without lanes it is ended as well. none: it has no direct session (behind a pooler), so there
 * is nothing to look up.
 */
export type SessionState = 'held' | 'ended' | 'awaited' | 'none';

export interface SeenProcess {
  readonly id: number;
  readonly beat: number;
  /** By consumer id, as text. */
  readonly declared: Readonly<Record<string, Declared>>;
  readonly session: SessionState;
}

export interface SeenConsumer {
  readonly id: number;
  readonly name: string;
  readonly formerNames: readonly string[];
  readonly version: number;
  readonly state: ConsumerState;
  /** The generation that leads, and the newest registered. */
  readonly leading: number;
  readonly latest: number;
  readonly pausedReason: string | null;
  readonly pausedBy: string | null;
  readonly pausedAt: string | null;
  readonly held: readonly HeldPart[];
}

export interface SeenLane {
  readonly consumerId: number;
  readonly lane: number;
  readonly generation: number;
  readonly token: number;
  readonly owner: number | null;
  readonly stopAt: number;
  /** The checkpoint. */
  readonly position: number;
}

export interface SeenRequest {
  readonly id: number;
  readonly consumerId: number;
  readonly verb: string;
  readonly parkedId: number | null;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly actor: string;
  readonly reason: string | null;
  /** Of the parked row's ordering key; null when the row is gone, or the request is about none. */
  readonly keyHash: number | null;
}

/** Work of a process beside its consumers: governed replays, replays that are rebuilds, releases of groups of the quarantine. */
export type Chore = 'replays' | 'rebuilds' | 'releases';

/** What one heartbeat saw, in one snapshot. */
export interface Picture {
  /** False: this process's own row is gone. */
  readonly known: boolean;
  readonly processes: readonly SeenProcess[];
  readonly consumers: readonly SeenConsumer[];
  readonly lanes: readonly SeenLane[];
  readonly requests: readonly SeenRequest[];
  /** Ids of consumers with work that is due by the database's clock. */
  readonly due: ReadonlySet<number>;
  /** Chores for which there is work, whichever process does it. */
  readonly chores: ReadonlySet<Chore>;
}

type LaneTuple = readonly [number, number, number, number, number | null, number, number];

/** A row of the statement `beat`. */
export const toPicture = (row: Row): Picture => ({
  known: row['known'] === 1,
  processes: row['processes'] as SeenProcess[],
  consumers: row['consumers'] as SeenConsumer[],
  lanes: (row['lanes'] as LaneTuple[]).map(
    ([consumerId, lane, generation, token, owner, stopAt, position]) => ({
      consumerId,
      lane,
      generation,
      token,
      owner,
      stopAt,
      position,
    }),
  ),
  requests: row['requests'] as SeenRequest[],
  due: new Set(row['due'] as number[]),
  chores: new Set(row['chores'] as Chore[]),
});
