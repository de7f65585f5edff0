/**
 * The life of an alert. One row in `alerts`; whoever evaluates moves it with what was observed and the times in the row.
 *
 *              met                     met for `holdMs`
 *   (none) ──────────────▶ pending ───────────────────────▶ firing ──▶ resolved
 *                             │                              │  ▲  clear for a minute
 *                             └──▶ (forgotten)               └──┘
 *                            clear                     met, or unknown: stays
 *
 * Unknown never begins and never ends anything: what can't be seen is neither better nor worse. What was resolved stays so;
 * when its condition is met again, that is another alert.
 */
export type AlertState = 'pending' | 'firing' | 'resolved';

/** met: the condition holds. raised: it held, whether or not it still does. unknown: it can't be told. */
export type Observed = 'met' | 'raised' | 'clear' | 'unknown';

export interface OpenAlert {
  readonly state: 'pending' | 'firing';
  /** Since the condition was first met. */
  readonly metMs: number;
  /** Since it was last seen to be over; null: it is not. */
  readonly clearMs: number | null;
}

/** What becomes of the row. `clearing`: it goes on firing, and the time from which it was over is remembered. */
export type AlertStep = 'none' | 'stay' | 'open' | 'fire' | 'clearing' | 'resolve' | 'forget';

/** A condition that comes and goes within this time is one alert. */
export const clearForMs = 60_000;

export const nextAlertStep = (alert: OpenAlert | null, observed: Observed, holdMs: number): AlertStep => {
  if (alert === null) {
    if (observed === 'raised') return 'fire';
    if (observed !== 'met') return 'none';
    return holdMs === 0 ? 'fire' : 'open';
  }
  if (observed === 'unknown') return 'stay';
  if (alert.state === 'pending') {
    if (observed === 'clear') return 'forget';
    return observed === 'raised' || alert.metMs >= holdMs ? 'fire' : 'stay';
  }
  if (observed !== 'clear') return 'stay';
  return alert.clearMs !== null && alert.clearMs >= clearForMs ? 'resolve' : 'clearing';
};
