import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'assign' | 'snooze' | 'note'>(new URL('./groups.sql', import.meta.url));

/** What fits a note: whoever has more to say links to it. */
export const noteLengthMax = 4_000;
const nameLengthMax = 200;
/** A snooze is no way to forget a group: after it the group is as old as it is. */
export const snoozeMsMax: number = 14 * 24 * 3_600_000;

const notFound = (id: number): FactlineError => new FactlineError('QUARANTINE_GROUP_NOT_FOUND', { id });

const fitting = (given: string, option: string, max: number): string => {
  const text = given.trim().toWellFormed().replaceAll('\u0000', '\ufffd');
  if (text !== '' && text.length <= max) return text;
  const expected = `a text of 1 to ${max.toLocaleString('en-US')} characters`;
  throw new FactlineError('OPTION_INVALID', { option, expected, actual: `${text.length} characters` });
};

/** Null: nobody's again. @throws FactlineError QUARANTINE_GROUP_NOT_FOUND, OPTION_INVALID */
export const assignGroup = async (on: Queryable, id: number, to: string | null): Promise<void> => {
  const name = to === null ? null : fitting(to, 'NAME', nameLengthMax);
  const [row] = await run(on, sql.assign, [id, name]);
  if (row === undefined) throw notFound(id);
};

/** Until when nobody is escalated to; 0 milliseconds: no longer. @throws FactlineError QUARANTINE_GROUP_NOT_FOUND */
export const snoozeGroup = async (on: Queryable, id: number, ms: number): Promise<string | null> => {
  if (ms > snoozeMsMax)
    throw new FactlineError('OPTION_INVALID', {
      option: '--for',
      expected: 'at most 14d',
      actual: `${ms} ms`,
    });
  const [row] = await run(on, sql.snooze, [id, ms]);
  if (row === undefined) throw notFound(id);
  return row['snoozed_until'] as string | null;
};

/** The number of the note. @throws FactlineError QUARANTINE_GROUP_NOT_FOUND, OPTION_INVALID */
export const noteOnGroup = async (
  on: Queryable,
  id: number,
  note: { readonly author: string; readonly text: string },
): Promise<number> => {
  const [row] = await run(on, sql.note, [id, note.author, fitting(note.text, 'TEXT', noteLengthMax)]);
  if (row === undefined) throw notFound(id);
  return Number(row['id']);
};
