import { FactlineError, type Json } from '../../foundation/index.ts';
import { embedDocuments, type FoundDocument } from '../json-schema/embed-documents.ts';
import type { CompareRequest } from './compare-request.ts';
import { planOf } from './comparison-mode.ts';
import { draftNamed } from './draft-name.ts';
import type { RemoteDocuments } from './remote-documents.ts';
import { jsonOf } from './schema-source.ts';

/**
 * The same request with everything in its JSON Schemas that they refer to elsewhere: `compare` itself never fetches anything.
 * @throws FactlineError OPTION_INVALID, SCHEMA_INVALID, SCHEMA_FETCH_NOT_ALLOWED, SCHEMA_FETCH_FAILED, STOPPED
 */
export const fetchReferences = async (
  request: CompareRequest,
  documents: RemoteDocuments,
): Promise<CompareRequest> => {
  const { format, mode, draft: named, history = [] } = request;
  if (format !== 'json-schema') {
    const expected = 'nothing, as only JSON Schema refers to documents by their address';
    throw new FactlineError('OPTION_INVALID', { option: '--fetch', expected, actual: `it with ${format}` });
  }
  const draft = named === undefined ? undefined : draftNamed(named);
  const find = (address: string): Promise<FoundDocument> => documents.find(address);
  const whole = async (side: string, schema: Json | undefined): Promise<Json> =>
    (await embedDocuments(jsonOf({ side, schema }, format), { draft, side, find })) as Json;
  const earlier: Json[] = [];
  if (planOf(mode, format).transitive)
    for (const [index, schema] of history.entries())
      earlier.push(await whole(`old (version ${index + 1})`, schema));
  return {
    ...request,
    old: await whole('old', request.old),
    new: await whole('new', request.new),
    history: earlier,
  };
};
