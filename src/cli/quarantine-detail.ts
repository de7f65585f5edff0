import {
  listEdits,
  listRedirects,
  masked,
  type ParkedDetail,
  type StoredEdit,
  type StoredRedirect,
  showParked,
} from '../operations/index.ts';
import { perform } from '../replay/index.ts';
import { actorOf, personOf } from './actor.ts';
import type { CommandContext } from './command.ts';
import type { Connected } from './connection.ts';
import { withoutHidden, withoutSubject } from './event-masking.ts';
import { contractTerms, maskedChanges, maskedKey } from './quarantine-contracts.ts';

/** A parked event with its edits. */
export interface ShownDetail extends ParkedDetail {
  readonly edits: readonly StoredEdit[];
  readonly redirects: readonly StoredRedirect[];
}

/**
 * What may be shown of a parked event; with --reveal everything, on record, to those who may.
 * @throws FactlineError QUARANTINE_NOT_FOUND, FORBIDDEN
 */
export const shownDetail = async (
  context: CommandContext,
  { database, app }: Connected,
  id: number,
): Promise<ShownDetail> => {
  const on = database.operations;
  const detail = {
    ...(await showParked(on, id)),
    edits: await listEdits(on, id),
    redirects: await listRedirects(on, id),
  };
  if (context.given.has('reveal')) {
    const act = {
      actor: await actorOf(context, on),
      act: 'quarantine.reveal',
      target: `quarantine ${id}`,
    } as const;
    const { reason } = personOf(context);
    return perform(on, { ...act, reason }, async () => detail);
  }
  const terms = await contractTerms(on, app, detail);
  return {
    ...maskedKey(detail),
    meta: detail.keyLevel === null ? detail.meta : withoutSubject(detail.meta),
    data: masked(detail.data, terms),
    effects: detail.effects.map((effect) => ({
      ...effect,
      result: withoutHidden(effect.result, terms, detail.data),
    })),
    edits: detail.edits.map((edit) => ({ ...edit, changes: maskedChanges(edit.changes, terms) })),
  };
};
