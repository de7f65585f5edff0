/** The room `server`: HTTP. Knows no command line. */
export { createServer, type FactlineServer, readinessOf, type ServerOptions } from './server.ts';
