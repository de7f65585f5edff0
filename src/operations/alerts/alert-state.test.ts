import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AlertStep, nextAlertStep, type Observed, type OpenAlert } from './alert-state.ts';

const pending = (metMs: number): OpenAlert => ({ state: 'pending', metMs, clearMs: null });
const firing = (clearMs: number | null = null): OpenAlert => ({ state: 'firing', metMs: 90_000, clearMs });

describe('an alert', () => {
  it('fires when its condition has held for the time of its class, at once where that is nothing', () => {
    expect(nextAlertStep(null, 'met', 60_000)).toBe('open');
    expect(nextAlertStep(pending(59_999), 'met', 60_000)).toBe('stay');
    expect(nextAlertStep(pending(60_000), 'met', 60_000)).toBe('fire');
    expect(nextAlertStep(null, 'met', 0)).toBe('fire');
  });

  it('is forgotten when the condition is over before that', () => {
    expect(nextAlertStep(pending(59_999), 'clear', 60_000)).toBe('forget');
    expect(nextAlertStep(null, 'clear', 0)).toBe('none');
  });

  it('is resolved when the condition has been over for a minute, so that one that flaps is one alert', () => {
    expect(nextAlertStep(firing(), 'clear', 0)).toBe('clearing');
    expect(nextAlertStep(firing(59_999), 'clear', 0)).toBe('clearing');
    expect(nextAlertStep(firing(60_000), 'clear', 0)).toBe('resolve');
    expect(nextAlertStep(firing(60_000), 'met', 0)).toBe('stay');
  });

  it('neither begins nor ends with what is unknown', () => {
    for (const alert of [null, pending(900_000), firing(), firing(900_000)])
      expect(nextAlertStep(alert, 'unknown', 0)).toBe(alert === null ? 'none' : 'stay');
  });

  it('fires for what a detector has raised, even when it is over by now', () => {
    expect(nextAlertStep(null, 'raised', 60_000)).toBe('fire');
    expect(nextAlertStep(pending(0), 'raised', 60_000)).toBe('fire');
  });

  it('resolves only after it fired, and fires only after it was met or raised, in every history', () => {
    const observed = fc.constantFrom<Observed>('met', 'raised', 'clear', 'unknown');
    fc.assert(
      fc.property(
        fc.array(observed, { maxLength: 60 }),
        fc.integer({ min: 0, max: 200_000 }),
        (history, holdMs) => {
          let alert: (OpenAlert & { at: number; clearAt: number | null }) | null = null;
          const steps: AlertStep[] = [];
          history.forEach((each, index) => {
            const now = index * 10_000;
            const seen: OpenAlert | null =
              alert === null
                ? null
                : {
                    state: alert.state,
                    metMs: now - alert.at,
                    clearMs: alert.clearAt === null ? null : now - alert.clearAt,
                  };
            const step = nextAlertStep(seen, each, holdMs);
            steps.push(step);
            if (step === 'open') alert = { ...pending(0), at: now, clearAt: null };
            else if (step === 'fire') alert = { ...firing(), at: alert?.at ?? now, clearAt: null };
            else if (step === 'resolve' || step === 'forget') alert = null;
            else if (step === 'clearing' && alert !== null)
              alert = { ...alert, clearAt: alert.clearAt ?? now };
            else if (step === 'stay' && alert !== null && (each === 'met' || each === 'raised'))
              alert = { ...alert, clearAt: null };
          });
          const fired = steps.filter((step) => step === 'fire').length;
          const resolved = steps.filter((step) => step === 'resolve').length;
          expect(fired - resolved).toBeGreaterThanOrEqual(0);
          expect(fired - resolved).toBeLessThanOrEqual(1);
          if (!history.includes('met') && !history.includes('raised')) expect(fired).toBe(0);
        },
      ),
    );
  });
});
