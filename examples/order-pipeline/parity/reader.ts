import type pg from 'pg';

/** A pool or a client: parity only reads. */
export type Reader = Pick<pg.ClientBase, 'query'>;
