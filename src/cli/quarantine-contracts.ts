import type { EventContract } from '../contracts/index.ts';
import {
  masked,
  type PayloadChange,
  readContractTerms,
  type StoredTerms,
  termsOf,
} from '../operations/index.ts';
import type { Queryable } from '../postgres/index.ts';
import type { LoadedApp } from './configuration.ts';

export interface KnownContract {
  readonly contract: EventContract;
  readonly terms: StoredTerms;
}

/** The contract as the app at hand declares it; null where it declares none of this type. */
export const declaredContract = (app: LoadedApp | null, type: string): KnownContract | null => {
  const settings = app?.internals.settings;
  const contract = settings?.contracts.find((each) => each.type === type);
  if (settings === undefined || contract === undefined) return null;
  return { contract, terms: termsOf(contract, settings.owner) };
};

/** What may be shown of an event: as the app at hand says, else as it is stored; of an unknown contract nothing. */
export const contractTerms = async (
  on: Queryable,
  app: LoadedApp | null,
  event: { readonly app: string; readonly type: string | null },
): Promise<StoredTerms> => {
  const own = app?.internals.settings.name === event.app ? declaredContract(app, event.type ?? '') : null;
  return own?.terms ?? readContractTerms(on, event.app, event.type ?? '');
};

/** An event without a key that its contract calls sensitive. */
export const maskedKey = <Event extends { readonly key: string; readonly keyLevel: string | null }>(
  event: Event,
): Event => (event.keyLevel === null ? event : { ...event, key: `(${event.keyLevel})` });

export const maskedChanges = (
  changes: readonly PayloadChange[],
  terms: StoredTerms,
): readonly PayloadChange[] =>
  changes.map((change) => ({
    ...change,
    ...('before' in change ? { before: masked(change.before, terms, change.field) } : {}),
    ...('after' in change ? { after: masked(change.after, terms, change.field) } : {}),
  }));
