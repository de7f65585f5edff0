import { createFactline } from 'factline';
import { stationed } from './stations.ts';

/** A process whose instances come to their stations and stay there, until it is killed. */
const databaseUrl = process.argv[2] ?? '';
const app = createFactline({
  name: 'shop',
  database: databaseUrl,
  consumers: [stationed({ databaseUrl, stays: true })],
  handleSignals: false,
});
process.once('disconnect', () => process.exit(1));
await app.start();
process.send?.('ready');
