/** What is killed are processes, not the machine: what PostgreSQL has written is in its memory. */
export const chaosServer = { max_connections: '200', restart_after_crash: 'on', fsync: 'off' };
