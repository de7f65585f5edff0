import { fileURLToPath } from 'node:url';

export const samplePath: string = fileURLToPath(new URL('../data/online-retail-sample.csv', import.meta.url));
export const casesPath: string = fileURLToPath(new URL('../data/online-retail-cases.csv', import.meta.url));
