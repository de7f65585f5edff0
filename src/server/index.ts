/** The room `server`: HTTP. Knows no command line. */
export { createServer, type FactlineServer, type ServerOptions } from './server.ts';
