import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type AuditRecord, auditHash, auditRecord, genesisHash } from './audit.ts';

const sql = loadQueries<'state' | 'rows_after'>(new URL('./audit.sql', import.meta.url));

/** What is wrong with the record at one row. */
export interface AuditProblem {
  readonly number: number;
  /**
   * changed: its hash does not fit its content. unchained: it is not chained to the row before. missing: rows up to this
   * one are gone. added: it stands behind the end of the chain. head: the head was changed. noted: the row that was noted
   * elsewhere has another hash now.
   */
  readonly problem: 'changed' | 'unchained' | 'missing' | 'added' | 'head' | 'noted';
  readonly text: string;
}

export interface AuditVerification {
  readonly intact: boolean;
  /** Rows looked at. */
  readonly rows: number;
  /** The end of the chain: note it where nobody who can write this database can write. */
  readonly head: { readonly number: number; readonly hash: string };
  /** At most 100. */
  readonly problems: readonly AuditProblem[];
}

const batchRows = 1_000;
const problemsMax = 100;

/** The chain as far as it was walked. */
interface Walk {
  readonly problems: AuditProblem[];
  rows: number;
  number: number;
  hash: string;
}

/**
 * Walks the chain from its beginning. It finds rows that were changed, removed or inserted. Somebody who can write every
 * table could forge the whole chain anew: that is found with `noted`, an earlier head that was kept elsewhere.
 */
export const verifyAudit = async (
  on: Queryable,
  noted?: { readonly number: number; readonly hash: string },
): Promise<AuditVerification> => {
  const [state] = await run(on, sql.state);
  const head = { number: Number(state?.['number']), hash: String(state?.['hash']) };
  const last = Number(state?.['last']);
  const walk: Walk = { problems: [], rows: 0, number: 0, hash: genesisHash };
  while (walk.number < last && walk.problems.length < problemsMax) {
    const records = (await run(on, sql.rows_after, [walk.number, batchRows])).map(auditRecord);
    if (records.length === 0) break;
    for (const record of records) {
      // What was added since belongs to the next verification.
      if (record.number > last) break;
      look(walk, record, head.number);
      if (record.number === noted?.number && record.hash !== noted.hash)
        walk.problems.push(problem(record, 'noted', 'has another hash than the one that was noted'));
    }
  }
  lookAtEnd(walk, head, noted?.number ?? 0);
  const problems = walk.problems.slice(0, problemsMax);
  return { intact: problems.length === 0, rows: walk.rows, head, problems };
};

const problem = (
  { number }: { readonly number: number },
  kind: AuditProblem['problem'],
  text: string,
): AuditProblem => ({ number, problem: kind, text: `row ${number} ${text}` });

const look = (walk: Walk, record: AuditRecord, headNumber: number): void => {
  const { problems } = walk;
  const gap = record.number - walk.number - 1;
  if (gap > 0)
    problems.push(
      problem(
        { number: record.number - 1 },
        'missing',
        `is gone${gap > 1 ? `, with ${gap - 1} before it` : ''}`,
      ),
    );
  if (auditHash(record) !== record.hash)
    problems.push(problem(record, 'changed', 'was changed: its hash does not fit what it says'));
  if (gap === 0 && record.previousHash !== walk.hash)
    problems.push(problem(record, 'unchained', 'is not chained to the row before it'));
  if (record.number > headNumber)
    problems.push(problem(record, 'added', 'stands behind the end of the chain'));
  walk.rows += 1;
  walk.number = record.number;
  walk.hash = record.hash;
};

const lookAtEnd = (walk: Walk, head: AuditVerification['head'], notedNumber: number): void => {
  if (walk.problems.length >= problemsMax) return;
  if (walk.number < head.number)
    walk.problems.push(problem(head, 'missing', `is gone: the record ends at row ${walk.number}`));
  else if (walk.number === head.number && walk.hash !== head.hash)
    walk.problems.push(problem(head, 'head', 'is not what the head of the chain says'));
  if (notedNumber > Math.max(head.number, walk.number))
    walk.problems.push(problem({ number: notedNumber }, 'noted', 'was noted, and is not there any more'));
};
