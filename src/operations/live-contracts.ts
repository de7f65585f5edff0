import { type RunningCode, sessionLockSpace } from '../consumers/index.ts';
import { loadQueries, type Queryable, run } from '../postgres/index.ts';

const sql = loadQueries<'live_code'>(new URL('./live-contracts.sql', import.meta.url));

/** One release of an app that runs now. */
export interface LiveContracts extends RunningCode {
  readonly app: string;
  readonly codeVersion: string;
  /** How many processes run it. */
  readonly processes: number;
}

/**
 * Which consumers and contracts run now, by app and code version; during a deploy both versions are there. Processes without
 * consumers do not register.
 */
export const liveContracts = async (on: Queryable): Promise<readonly LiveContracts[]> => {
  const rows = await run(on, sql.live_code, [sessionLockSpace]);
  return rows.map((row) => {
    const { consumers, contracts } = row['code'] as RunningCode;
    return {
      app: row['app'] as string,
      codeVersion: row['code_version'] as string,
      processes: row['processes'] as number,
      consumers,
      contracts,
    };
  });
};
