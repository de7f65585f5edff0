import { type EventContract, shownKey } from '../../contracts/index.ts';
import { loadQueries, type Queryable, type Row, run, sqlState } from '../../postgres/index.ts';
import type { FieldRules } from './masking.ts';

const sql = loadQueries<'store_terms' | 'read_terms' | 'terms_of_types' | 'hiding_keys'>(
  new URL('./contract-terms.sql', import.meta.url),
);

/** What a contract says that people work by. */
export interface StoredTerms extends FieldRules {
  /** Null: no contract of this type is known in this database. */
  readonly owner: string | null;
  /** The payload's fields that form the key: never edited. */
  readonly key: readonly string[];
  /** Dotted paths that may be edited in quarantine. */
  readonly editable: readonly string[];
}

const unknownTerms: StoredTerms = { owner: null, key: [], editable: [], sensitivity: null };

export const termsOf = (contract: EventContract, appOwner: string): StoredTerms => ({
  owner: contract.owner ?? appOwner,
  key: contract.key,
  sensitivity: contract.sensitivity,
  editable: contract.editable,
});

export interface DeclaredTerms {
  readonly name: string;
  readonly owner: string;
  readonly codeVersion: string;
  readonly contracts: readonly EventContract[];
}

/** So that commands which know only the database can name owners and hide what is sensitive. */
export const storeContractTerms = async (on: Queryable, app: DeclaredTerms): Promise<void> => {
  if (app.contracts.length === 0) return;
  const terms = app.contracts.map((contract) => ({ type: contract.type, ...termsOf(contract, app.owner) }));
  try {
    await run(on, sql.store_terms, [app.name, app.codeVersion, JSON.stringify(terms)]);
  } catch (error) {
    // A role that may only publish. Consumers of its events store their own.
    if (sqlState(error) !== insufficientPrivilege) throw error;
  }
};

const insufficientPrivilege = '42501';

/** Fails closed: of a type that no app has declared nothing may be shown or edited. */
export const readContractTerms = async (on: Queryable, app: string, type: string): Promise<StoredTerms> => {
  const [row] = await run(on, sql.read_terms, [app, type]);
  return row === undefined ? unknownTerms : storedTerms(row);
};

const storedTerms = (row: Row): StoredTerms => ({
  owner: String(row['owner']),
  key: row['key'] as string[],
  sensitivity: row['sensitivity'] as Record<string, string>,
  editable: row['editable'] as string[],
});

/** By type: what each app says of it. */
export const readTermsOfTypes = async (
  on: Queryable,
  types: readonly string[],
): Promise<ReadonlyMap<string, readonly { readonly app: string; readonly terms: StoredTerms }[]>> => {
  const rows = await run(on, sql.terms_of_types, [types]);
  const declared = rows.map((row) => ({
    type: String(row['type']),
    app: String(row['app']),
    terms: storedTerms(row),
  }));
  return Map.groupBy(declared, ({ type }) => type);
};

/** Hides keys that are made of what a contract of this database calls personal or secret. */
export const readKeyMask = async (on: Queryable): Promise<(key: string) => string> => {
  const hiding = (await run(on, sql.hiding_keys)).map((row) => ({
    key: row['key'] as string[],
    sensitivity: row['sensitivity'] as Record<string, string>,
  }));
  return (key) => hiding.reduce((shown, contract) => shownKey(contract, shown), key);
};
