import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SeededRandomness } from '../stress/randomness.ts';

/*
 * The world outside, as a process that nobody kills: it notes each idempotency key of each thing that it is asked for. Sometimes
 * it is not there, and sometimes it does what it is asked for and its answer is lost.
 */

/** By order and thing: the keys that it came under, and how often it was asked for. */
export interface OutsideFacts {
  readonly [thing: string]: { readonly keys: readonly string[]; readonly calls: number };
}

const randomness = new SeededRandomness(Number(process.argv[2] ?? 1));
const away = 0.02;
const lost = 0.02;
const done = new Map<string, { keys: Set<string>; calls: number }>();

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const facts = [...done].map(([thing, { keys, calls }]) => [thing, { keys: [...keys], calls }]);
    response.end(JSON.stringify(Object.fromEntries(facts)));
    return;
  }
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  text(request).then(
    (body) => {
      const { orderId, name } = JSON.parse(body) as { orderId: string; name: string };
      const chance = randomness.float();
      if (chance < away) return response.writeHead(503).end();
      const thing = `${orderId} ${name}`;
      const entry = done.get(thing) ?? { keys: new Set<string>(), calls: 0 };
      entry.keys.add(String(request.headers['idempotency-key']));
      entry.calls += 1;
      done.set(thing, entry);
      return chance < away + lost ? request.socket.destroy() : response.end(`done ${thing}`);
    },
    // The caller was killed in the middle of its call.
    () => {},
  );
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
