import type { EventContract } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { StoredTerms } from './contract-terms.ts';
import { applyPatch, type PatchOperation, pointerParts } from './json-patch.ts';
import { hiddenLevel } from './masking.ts';
import { changesBetween, type PayloadChange } from './payload-changes.ts';

const sql = loadQueries<'lock_parked' | 'edit' | 'list_edits'>(new URL('./edits.sql', import.meta.url));

export interface EditRequest {
  /** The number from `quarantine list`. */
  readonly id: number;
  readonly patch: readonly PatchOperation[];
  /** The contracts of the app at hand, by which the edited payload is checked. */
  readonly contractOf: (
    type: string,
  ) => { readonly contract: EventContract; readonly terms: StoredTerms } | null;
  readonly actor: string;
  readonly reason: string;
}

export interface Edit {
  readonly id: number;
  readonly consumer: { readonly id: number; readonly name: string };
  readonly type: string;
  readonly changes: readonly PayloadChange[];
}

/** An edit on record. */
export interface StoredEdit {
  readonly id: number;
  readonly changes: readonly PayloadChange[];
  readonly actor: string;
  readonly reason: string;
  readonly editedAt: string;
}

/**
 * Puts an edited payload in place of the logged one, for this consumer only; the log keeps what happened. In a transaction.
 * @throws FactlineError QUARANTINE_NOT_FOUND, PATCH_INVALID, EDIT_REFUSED, and what the contract says of the edited payload
 */
export const editParked = async (client: Queryable, request: EditRequest): Promise<Edit> => {
  const { id, patch, actor, reason } = request;
  const [row] = await run(client, sql.lock_parked, [id]);
  if (row === undefined) throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
  const { contract, terms } = contractFor(request, row);
  const refuse = refusal(id);
  refuseReading(refuse, patch, terms);
  const after = applyPatch(row['data'], patch);
  const changes = changesBetween(row['data'], after);
  if (changes.length === 0) refuse('it changes nothing');
  const stray = changes.find(({ field }) => !mayEdit(terms, field));
  if (stray !== undefined)
    refuse(`${stray.field === '' ? 'the whole payload' : stray.field} is not editable by its contract`);
  // Everything that a publisher's call would check, too.
  const draft = contract(after);
  if (draft.key !== row['event_key']) refuse('its key would be another');
  const values = [row['consumer_id'], row['position'], JSON.stringify(after), id];
  const record = [JSON.stringify(patch), JSON.stringify(changes), actor, reason];
  const [edited] = await run(client, sql.edit, [...values, ...record]);
  if (edited === undefined) refuse('it never failed, so there is nothing to mend');
  return {
    id,
    consumer: { id: Number(row['consumer_id']), name: String(row['consumer']) },
    type: String(row['type']),
    changes,
  };
};

const refusal =
  (id: number) =>
  (reason: string): never => {
    throw new FactlineError('EDIT_REFUSED', { id, reason });
  };

const contractFor = (request: EditRequest, row: Row): { contract: EventContract; terms: StoredTerms } => {
  const refuse = refusal(request.id);
  if (row['state'] !== 'quarantined') return refuse(`it is ${String(row['state'])}, not in quarantine`);
  const type = String(row['type']);
  return request.contractOf(type) ?? refuse(`this app has no contract of ${type}`);
};

const covers = (declared: string, field: string): boolean =>
  field === declared || field.startsWith(`${declared}.`);

const mayEdit = ({ editable, key }: StoredTerms, field: string): boolean =>
  editable.some((declared) => covers(declared, field)) &&
  !key.some((part) => covers(part, field) || covers(field, part));

/** A test or a copy must not tell what may not be shown. */
const refuseReading = (
  refuse: (reason: string) => never,
  patch: readonly PatchOperation[],
  terms: StoredTerms,
): void => {
  for (const operation of patch) {
    const read = operation.op === 'test' ? operation.path : 'from' in operation ? operation.from : null;
    if (read === null) continue;
    const field = pointerParts(read)
      .filter((part) => !/^\d+$/.test(part))
      .join('.');
    const hidden = Object.keys(terms.sensitivity ?? {}).some((declared) => covers(field, declared));
    if (field === '' || hidden || hiddenLevel(terms, field) !== undefined)
      refuse(`the patch reads ${field === '' ? 'the whole payload' : field}, which is hidden`);
  }
};

export const listEdits = async (on: Queryable, id: number): Promise<StoredEdit[]> =>
  (await run(on, sql.list_edits, [id])).map((row) => ({
    id: Number(row['id']),
    changes: row['changes'] as PayloadChange[],
    actor: String(row['actor']),
    reason: String(row['reason']),
    editedAt: String(row['edited_at']),
  }));
