import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SchemaServer {
  /** Without a slash at its end. */
  readonly origin: string;
  /** The paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** What is answered under a path: a listener, or JSON. All else is 404. */
  serve(pages: Readonly<Record<string, unknown>>): void;
  stop(): Promise<void>;
}

export const redirectTo =
  (location: string): RequestListener =>
  (_request, response) =>
    void response.writeHead(302, { location }).end();

/** A server of schemas on this machine. */
export const startSchemaServer = async (): Promise<SchemaServer> => {
  const asked: string[] = [];
  let pages: Readonly<Record<string, unknown>> = {};
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const page = pages[path];
    if (typeof page === 'function') (page as RequestListener)(request, response);
    else if (page === undefined) response.writeHead(404).end('{}');
    else response.end(JSON.stringify(page));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    serve: (others) => {
      pages = others;
      asked.length = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
