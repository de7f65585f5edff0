import { createPipeline } from './pipeline.ts';
import { openPostgres } from './postgres.ts';
import { recallSurroundings } from './run/state-directory.ts';

// What the command line works with: the app of the last run, `npm start` having written down where everything is.
const { embedded, ...surroundings } = await recallSurroundings();
const databaseUrl = new URL(surroundings.databaseUrl);
if (embedded) {
  // The embedded server may have been started again since, on another port.
  const server = await openPostgres(null);
  const { host, password } = new URL(server.url);
  databaseUrl.host = host;
  databaseUrl.password = password;
  // When the command is done; a server that the pipeline uses as well goes on.
  process.once('beforeExit', () => void server.stop());
}

const { app } = createPipeline({ ...surroundings, databaseUrl: databaseUrl.href }, 'parent');
export default app;
