import { connect, createServer, type Server, type Socket } from 'node:net';

export interface LossyProxy {
  /** The database's URL through the proxy. */
  readonly url: string;
  /** What happens to the next message that contains COMMIT, or another text; once. */
  loseNextCommit(how: 'before the server has it' | 'after the server has it', text?: string): void;
  /** All connections end, and none is made until `restore`: the server is away. */
  cut(): void;
  /** Connections go through again. */
  restore(): void;
  /** Nothing goes through the present connections any more, and nobody is told: the other machine lost its power. New ones are well. */
  deafen(): void;
  close(): Promise<void>;
}

/** A TCP proxy before PostgreSQL that loses what networks lose: a connection at COMMIT, all of them, or what is sent over them. */
export const startLossyProxy = async (databaseUrl: string): Promise<LossyProxy> => {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let deafened = new WeakSet<Socket>();
  let away = false;
  let lose: 'before the server has it' | 'after the server has it' | null = null;
  let commit = 'COMMIT';
  const server: Server = createServer((client) => {
    if (away) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    let deaf = false;
    client.on('data', (data: Buffer) => {
      if (deafened.has(client)) return;
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
      if (!deaf && !deafened.has(client)) client.write(data);
    });
    upstream.on('close', () => deafened.has(client) || client.destroy());
    client.on('close', () => deaf || upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(databaseUrl);
  url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    loseNextCommit: (how, text = 'COMMIT') => {
      lose = how;
      commit = text;
    },
    cut: () => {
      away = true;
      destroyAll();
    },
    restore: () => {
      away = false;
    },
    deafen: () => {
      deafened = new WeakSet(sockets);
    },
    close: async () => {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
