import { connect, createServer, type Server, type Socket } from 'node:net';

export interface LossyProxy {
  /** The database's URL through the proxy. */
  readonly url: string;
  /** What happens to the next message that contains COMMIT, or another text; once. */
  loseNextCommit(how: 'before the server has it' | 'after the server has it', text?: string): void;
  close(): Promise<void>;
}

/** A TCP proxy before PostgreSQL that cuts the connection at COMMIT, as a network does at the worst moment. */
export const startLossyProxy = async (databaseUrl: string): Promise<LossyProxy> => {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let lose: 'before the server has it' | 'after the server has it' | null = null;
  let commit = 'COMMIT';
  const server: Server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    let deaf = false;
    client.on('data', (data: Buffer) => {
      if (lose !== null && data.includes(commit)) {
        const how = lose;
        lose = null;
        deaf = true;
        if (how === 'after the server has it')
          upstream.write(data, () => setTimeout(() => client.destroy(), 50));
        else client.destroy();
        setTimeout(() => upstream.destroy(), 100);
        return;
      }
      upstream.write(data);
    });
    upstream.on('data', (data: Buffer) => {
      if (!deaf) client.write(data);
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => deaf || upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(databaseUrl);
  url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
  return {
    url: url.href,
    loseNextCommit: (how, text = 'COMMIT') => {
      lose = how;
      commit = text;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
