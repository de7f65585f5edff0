import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** An administrator's URL of the PostgreSQL server that this run owns. */
    databaseUrl: string;
  }
}

/** Vitest's global set-up: one PostgreSQL server for the run. */
export default async function setUp(project: TestProject): Promise<void> {
  const url = process.env['FACTLINE_TEST_DATABASE_URL'];
  if (!url) throw new Error('FACTLINE_TEST_DATABASE_URL is not set');
  project.provide('databaseUrl', url);
}
