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
export { type FactlineOptions, readOptions, type Settings } from './options.ts';
export { bringUpToDate, openParts, type Parts, type Seams, systemSeams } from './parts.ts';
export { resolveServer, type ServerAddress } from './server-address.ts';
