import { describe, expect, it } from 'vitest';
import { type AlertSchedule, dueMessages, type TellableAlert, type ToldSoFar } from './due-messages.ts';

const schedule: AlertSchedule = { groupWaitMs: 30_000, groupIntervalMs: 300_000, repeatEveryMs: 14_400_000 };

const row = (
  id: number,
  given: Partial<Omit<ToldSoFar, 'alert'>> &
    Partial<Pick<TellableAlert, 'state' | 'severity' | 'level'>> = {},
): ToldSoFar => {
  const { state = 'firing', severity = 'page', level = 1, ...rest } = given;
  const alert: TellableAlert = {
    id,
    key: `consumer-stopped:c${id}:`,
    state,
    severity,
    level,
    consumer: `c${id}`,
    summary: `c${id} has stopped`,
    facts: {},
    metAt: '',
    firedAt: '',
    resolvedAt: null,
  };
  return {
    receiver: 'on-call',
    class: 'consumer-stopped',
    alert,
    changedMs: 60_000,
    told: null,
    messageMs: null,
    ...rest,
  };
};
const due = (rows: readonly ToldSoFar[], only: 'page' | 'ticket' | null = null, fromLevel = 1) =>
  dueMessages('shop', rows, () => ({ ...schedule, only, fromLevel }));
const firing = (ms: number, level = 1): ToldSoFar['told'] => ({ state: 'firing', level, ms });

describe('messages about alerts', () => {
  it('are one for all alerts of a class, however many there are, and name the first fifty', () => {
    const many = Array.from({ length: 80 }, (_, id) => row(id));
    const [message, ...others] = due(many);
    expect(others).toEqual([]);
    expect(message?.message).toMatchObject({
      state: 'firing',
      severity: 'page',
      incident: 'FL-03',
      more: 30,
    });
    expect(message?.message.alerts).toHaveLength(50);
    expect(message?.tells).toHaveLength(80);
    expect(due([row(1), row(2, { class: 'burn-rate' }), row(3, { receiver: 'team' })])).toHaveLength(3);
  });

  it('wait a moment for others, and longer after a message of the class', () => {
    expect(due([row(1, { changedMs: 29_999 })])).toEqual([]);
    expect(due([row(1, { changedMs: 30_000 }), row(2, { changedMs: 0 })])[0]?.tells).toHaveLength(2);
    expect(due([row(1, { messageMs: 299_999 })])).toEqual([]);
    expect(due([row(1, { messageMs: 300_000 })])).toHaveLength(1);
  });

  it('say nothing twice, but repeat what still fires after the interval', () => {
    expect(due([row(1, { told: firing(14_399_999), messageMs: 14_399_999 })])).toEqual([]);
    expect(due([row(1, { told: firing(14_400_000), messageMs: 14_400_000 })])).toHaveLength(1);
  });

  it('tell the end, also of what fired and ended before anything could be told', () => {
    const ended = row(1, { state: 'resolved', told: firing(600_000), messageMs: 600_000 });
    expect(due([ended])[0]?.message).toMatchObject({
      state: 'resolved',
      alerts: [{ id: 1, state: 'resolved' }],
    });
    expect(due([row(1, { state: 'resolved' })])).toHaveLength(1);
  });

  it('list what fires first, and also what was told before', () => {
    const [message] = due([
      row(1, { state: 'resolved', told: firing(600_000), messageMs: 600_000 }),
      row(2, { told: firing(600_000), messageMs: 600_000 }),
    ]);
    expect(message?.message).toMatchObject({ state: 'firing', alerts: [{ id: 2 }, { id: 1 }] });
  });

  it('tell a further level of on-call anew', () => {
    expect(due([row(1, { level: 2, told: firing(400_000), messageMs: 400_000 })])).toHaveLength(1);
    expect(due([row(1, { level: 2, told: firing(400_000, 2), messageMs: 400_000 })])).toEqual([]);
  });

  it('go to who is called at a further level of on-call only when it is reached', () => {
    expect(due([row(1, { level: 2 })], null, 3)).toEqual([]);
    expect(due([row(1, { level: 3 })], null, 3)).toHaveLength(1);
    const ended = row(1, { level: 1, state: 'resolved', told: firing(600_000, 3), messageMs: 600_000 });
    expect(due([ended], null, 3)).toHaveLength(1);
  });

  it('go only to receivers of that severity, but nobody is left with an alert that never ends', () => {
    expect(due([row(1, { severity: 'ticket' })], 'page')).toEqual([]);
    expect(due([row(1, { severity: 'page' })], 'page')).toHaveLength(1);
    const lowered = row(1, {
      severity: 'ticket',
      state: 'resolved',
      told: firing(600_000),
      messageMs: 600_000,
    });
    expect(due([lowered], 'page')).toHaveLength(1);
  });
});
