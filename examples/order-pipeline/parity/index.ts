export type { ParityCheck } from './check.ts';
export { checkParity, type Parity } from './parity.ts';
