import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { PortTaken, serveApi } from './serve-api.ts';

it('the next free port is used, unless a port was asked for', async () => {
  const api = new Hono().get('/', (context) => context.text('here'));
  const first = await serveApi(api, null);
  const second = await serveApi(api, null);
  try {
    expect(await (await fetch(second.url)).text()).toBe('here');
    expect(second.url).not.toBe(first.url);
    expect(second.takenPort).toBe(4000);
    await expect(serveApi(api, Number(new URL(first.url).port))).rejects.toThrow(PortTaken);
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
});
