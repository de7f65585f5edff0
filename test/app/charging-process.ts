import { ChargeCard, charging, requesting } from './charging.ts';

/** Killed with -9 by its test: as `requester` when its command is sent, as `handler` when its reply is not committed yet. */
const [, , role, url = ''] = process.argv;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
if (role === 'requester') {
  const app = requesting(url);
  await app.start();
  const { id, reply } = await app.request(ChargeCard, { orderId: 'A1' });
  say(`sent ${id}`);
  await reply();
} else {
  const app = charging(url, async () => {
    say('handling');
    await new Promise(() => {});
  });
  await app.start();
  say('ready');
}
