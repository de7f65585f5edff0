import { type AppOptions, createApp } from './app-consumers.ts';

/** A process of the bank's app, until SIGTERM (which the app itself obeys). */
const app = createApp(JSON.parse(process.argv[2] ?? '{}') as AppOptions);
process.once('disconnect', () => process.exit(1));
await app.start();
process.send?.({ kind: 'ready' });
