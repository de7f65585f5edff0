import { defineWorkflow, PermanentError } from 'factline';
import pg from 'pg';
import { z } from 'zod';
import { ParcelScanned } from './fixtures.ts';

/** Where an instance stands when its process is killed. */
export const stations = ['step', 'transaction', 'retry', 'sleep', 'wait', 'undo'] as const;
export type Station = (typeof stations)[number];

export const callsTable = 'create table calls (key text not null, pid integer not null)';

const forEver = (): Promise<never> => new Promise(() => setTimeout(() => {}, 2 ** 31 - 1));

/** Each instance comes to its station and goes no further in a process that stays there; in any other it goes on. */
export const stationed = ({
  databaseUrl,
  stays,
}: {
  readonly databaseUrl: string;
  readonly stays: boolean;
}) => {
  const note = async ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<void> => {
    const client = new pg.Client(databaseUrl);
    await client.connect();
    await client.query('insert into calls values ($1, $2)', [idempotencyKey, process.pid]);
    await client.end();
  };
  return defineWorkflow({
    name: 'stationed',
    input: z.object({ at: z.enum(stations) }),
    waits: ParcelScanned,
    // Nothing moves to another process that joins.
    lanes: 1,
    run: async ({ at }, { step, sleep, waitFor }) => {
      await step('before', note, {
        undo: async (_, call) => {
          await note(call);
          if (stays) await forEver();
        },
      });
      if (at === 'step')
        await step('hang', async (call) => {
          await note(call);
          if (stays) await forEver();
        });
      if (at === 'transaction')
        await step.transaction('book', async (tx) => {
          await tx.query(`insert into bookings values ($1)`, [at]);
          if (stays) await forEver();
        });
      if (at === 'retry')
        await step(
          'shaky',
          async (call) => {
            await note(call);
            if (stays) throw new Error('not here');
          },
          { retry: { attempts: 1_000, firstDelay: '300ms', maxDelay: '300ms' } },
        );
      if (at === 'sleep') await sleep('1h');
      if (at === 'wait') await waitFor(ParcelScanned, { key: at });
      if (at === 'undo') throw new PermanentError('take it back');
      await step('after', note);
      return at;
    },
  });
};
