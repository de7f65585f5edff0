/** The room `app`: puts the rooms together behind `createFactline`. */
export {
  type CaughtUp,
  createFactline,
  createFactlineWith,
  type Factline,
  type Internals,
  internals,
  type Published,
} from './factline.ts';
export type { FactlineOptions, Settings } from './options.ts';
export { type Parts, type Seams, systemSeams } from './parts.ts';
export type { CommandRequest } from './requests/requests.ts';
export { resolveServer, type ServerAddress } from './server-address.ts';
export type { WorkflowHandle } from './workflows.ts';
