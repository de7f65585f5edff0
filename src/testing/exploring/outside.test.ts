import { describe, expect, it } from 'vitest';
import { OutsideWorld } from './outside.ts';

describe('the outside world', () => {
  it('does once what comes under one key, and answers a repeat as the first time', async () => {
    const outside = new OutsideWorld().door();
    let ids = 0;
    const charge = () => outside.call('charge', { idempotencyKey: 'k', pence: 1 }, () => ({ id: ++ids }));
    expect([await charge(), await charge()]).toEqual([{ id: 1 }, { id: 1 }]);
    expect(outside.calls('charge')).toHaveLength(2);
    expect(outside.effects()).toEqual([
      { name: 'charge', idempotencyKey: 'k', request: { pence: 1 }, repeated: false },
    ]);
  });

  it('does without a key whatever it is asked for', async () => {
    const outside = new OutsideWorld().door();
    await outside.call('mail', { to: 'a' }, 'sent');
    await outside.call('mail', { to: 'a' }, 'sent');
    expect(outside.effects('mail')).toHaveLength(2);
  });

  it('has done nothing when it refuses, and may do it at the next call', async () => {
    const outside = new OutsideWorld().door();
    const refused = outside.call('charge', { idempotencyKey: 'k' }, () => Promise.reject('no'));
    await expect(refused).rejects.toBe('no');
    expect(outside.effects()).toEqual([]);
    expect(await outside.call('charge', { idempotencyKey: 'k' }, 'yes')).toBe('yes');
  });

  it('hears nothing of a dead process', async () => {
    const world = new OutsideWorld();
    void world.door(() => true).call('charge', {}, 'yes');
    expect(world.door().calls()).toEqual([]);
  });

  it('reacts once to each effect, and says when it has', async () => {
    const scanned: unknown[] = [];
    const world = new OutsideWorld({ ship: async ({ request }) => scanned.push(request['parcel']) });
    const outside = world.door();
    await outside.call('ship', { idempotencyKey: 'k', parcel: 'P1' }, 'on its way');
    await outside.call('ship', { idempotencyKey: 'k', parcel: 'P1' }, 'on its way');
    expect([await world.reacted(), await world.reacted()]).toEqual([true, false]);
    expect(scanned).toEqual(['P1']);
  });

  it('passes on what a reaction throws', async () => {
    const world = new OutsideWorld({ ship: () => Promise.reject(new RangeError('no such parcel')) });
    await world.door().call('ship', {}, 'on its way');
    await expect(world.reacted()).rejects.toThrow('no such parcel');
  });
});
