import type { ConsumerFacts } from './facts.ts';
import type { BudgetSpent } from './verdict.ts';

/** A budget of nothing is spent by the first event that fails it. */
const spentMax = 1_000_000;

/** How much of the error budget the last thirty days have spent; null while no event was sampled. */
export const budgetSpent = ({ objective, errorBudget }: ConsumerFacts): BudgetSpent | null => {
  const { events, late, quarantined } = objective;
  if (events === 0) return null;
  const failed = late + quarantined;
  const spent = failed === 0 ? 0 : Math.min(spentMax, failed / (events * errorBudget));
  return { events, late, quarantined, spent: Math.round(spent * 1_000) / 1_000 };
};
