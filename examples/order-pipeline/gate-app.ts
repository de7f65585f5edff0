import { createPipeline } from './pipeline.ts';

/** What the contract gate works with: both compositions, of which nothing is started and nowhere is reached. */
export const { app } = createPipeline(
  {
    databaseUrl: 'postgres://nowhere.invalid/none',
    providerUrl: 'http://nowhere.invalid',
    smtpUrl: 'smtp://nowhere.invalid:25',
    analyticsDirectory: '',
    workers: 0,
    orchestrated: { carrier: { latencyMs: [0, 0], missesPercent: 0 }, collectedWithin: '2m' },
  },
  'gate',
);
