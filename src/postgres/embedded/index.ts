export {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedDirectory,
  removeEmbedded,
  startEmbedded,
} from './start-embedded.ts';
