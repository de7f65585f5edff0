import { FactlineError, type Json } from '../../foundation/index.ts';
import { compare } from './compare.ts';
import { fetchReferences } from './fetch-references.ts';
import { idOf, readBatchLine } from './read-batch-line.ts';
import type { RemoteDocuments } from './remote-documents.ts';
import { type Line, splitLines } from './split-lines.ts';

/**
 * Answers each line of a batch with one line, in order: `{ id, compatible, changes }`, or `{ id, error: 'bad-input', message }`.
 * A line that cannot be used is answered and passed; nothing is read ahead of what is taken from the answers.
 * @param documents what JSON Schemas may refer to. Default: nothing is fetched
 */
export async function* compareBatch(
  input: AsyncIterable<Uint8Array>,
  documents?: RemoteDocuments,
): AsyncGenerator<string, void, void> {
  for await (const line of splitLines(input)) yield JSON.stringify(await answer(line, documents));
}

const decoder = new TextDecoder('utf-8', { fatal: true });

const answer = async (line: Line, documents: RemoteDocuments | undefined): Promise<Json> => {
  let id: Json = null;
  try {
    if (line.kind === 'too-long')
      return badInput(id, `The line cannot be used: it has more than ${line.limit} bytes.`);
    const parsed = parseLine(line.bytes);
    id = idOf(parsed);
    const request = readBatchLine(parsed);
    const isWhole = documents === undefined || request.format !== 'json-schema';
    const whole = isWhole ? request : await fetchReferences(request, documents);
    return { id, ...(await compare(whole)) } as unknown as Json;
  } catch (error) {
    if (FactlineError.is(error, 'STOPPED')) throw error;
    return badInput(id, reasonOf(error));
  }
};

const parseLine = (bytes: Uint8Array): Json => {
  try {
    return JSON.parse(decoder.decode(bytes)) as Json;
  } catch (error) {
    const reason = error instanceof SyntaxError ? `${error.message}.` : 'it is not UTF-8.';
    throw new FactlineError('BATCH_LINE_INVALID', { reason }, { cause: error });
  }
};

const badInput = (id: Json, message: string): Json => ({ id, error: 'bad-input', message });

/** Whatever one line brings about, the next ones are answered. */
const reasonOf = (error: unknown): string => {
  if (error instanceof RangeError) return 'The schema is nested too deeply.';
  return error instanceof Error ? error.message : String(error);
};
