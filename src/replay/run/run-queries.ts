import { loadQueries, type NamedQuery } from '../../postgres/index.ts';

type Name =
  | 'run_facts'
  | 'claim_look'
  | 'note_impact'
  | 'time_of_day'
  | 'hand_over'
  | 'pace'
  | 'note_failures'
  | 'unaccounted'
  | 'run_sums'
  | 'clear_ended';

/** The statements of a run. */
export const runQueries: Readonly<Record<Name, NamedQuery>> = loadQueries<Name>(
  new URL('./run.sql', import.meta.url),
);
