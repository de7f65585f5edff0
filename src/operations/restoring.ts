import { sessionLockSpace } from '../consumers/index.ts';
import { FactlineError } from '../foundation/index.ts';
import { type Database, loadQueries, type Queryable, run } from '../postgres/index.ts';
import { type Actor, perform } from '../replay/index.ts';

const sql = loadQueries<
  | 'running_processes'
  | 'state'
  | 'lock_log'
  | 'raise_sequence'
  | 'new_epoch'
  | 'forget_processes'
  | 'create_partitions'
>(new URL('./restoring.sql', import.meta.url));

export interface RestoredState {
  readonly epoch: string;
  /** The database runs on another server than the one the log was written on. */
  readonly copied: boolean;
  /** The highest position that is visible. */
  readonly head: number;
  /** The highest position that the sequence has given. */
  readonly given: number;
  /** The highest position that a checkpoint, the mark, the inbox or a parked event remembers. */
  readonly remembered: number;
}

export const readRestoredState = async (on: Queryable): Promise<RestoredState> => {
  const [row] = await run(on, sql.state);
  return {
    epoch: String(row?.['epoch']),
    copied: row?.['log_system'] !== row?.['server_system'],
    head: Number(row?.['visible']),
    given: Number(row?.['given']),
    remembered: Math.max(Number(row?.['remembered']), Number(row?.['mark']), Number(row?.['checkpoint'])),
  };
};

export interface NewEpoch {
  readonly epoch: string;
  readonly previousEpoch: string;
  /** The next event gets a position above this one. */
  readonly positionsFrom: number;
}

/**
 * Begins a new log epoch after a restore. The sequence is raised above every position that anything remembers, so that no
 * checkpoint, inbox row or parked event ever meets another event under its position; tokens of the old epoch are refused.
 * @throws FactlineError PROCESSES_RUNNING, FORBIDDEN
 */
export const beginEpoch = async (
  database: Pick<Database, 'operations'>,
  { actor, reason }: { readonly actor: Actor; readonly reason?: string | undefined },
): Promise<NewEpoch> => {
  const running = await run(database.operations, sql.running_processes, [sessionLockSpace]);
  if (running.length > 0) {
    const processes = running.map((row) => `${row['app']} (pid ${row['pid']} on ${row['host']})`);
    throw new FactlineError('PROCESSES_RUNNING', { processes });
  }
  const details = (epoch: NewEpoch): Record<string, unknown> => ({ ...epoch });
  const act = { actor, act: 'log.restored', target: 'log', reason, details } as const;
  return perform(database.operations, act, async (client) => {
    await run(client, sql.lock_log);
    const before = await readRestoredState(client);
    const top = Math.max(before.given, before.head, before.remembered);
    // An empty log has given no position yet; setval would claim the first.
    if (top > 0) await run(client, sql.raise_sequence, [top]);
    await run(client, sql.create_partitions);
    await run(client, sql.forget_processes);
    const [row] = await run(client, sql.new_epoch);
    return { epoch: String(row?.['epoch']), previousEpoch: before.epoch, positionsFrom: top };
  });
};
