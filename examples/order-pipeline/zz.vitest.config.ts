export default {
  ssr: { resolve: { conditions: ['factline-source', 'module', 'node', 'development|production'] } },
  resolve: { alias: [{ find: /^factline$/, replacement: '/work/main/examples/order-pipeline/zz-shim.ts' }] },
  test: { testTimeout: 600000, hookTimeout: 60000, include: ['examples/order-pipeline/zz-sim.test.ts'], root: '/work/main', globalSetup: ['./test/postgres.ts'] },
};
