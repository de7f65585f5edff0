import { type Draft, isCommandDraft } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';

/** How drafts come in: events are published for everybody, commands are sent to their one handler. */
export type Verb = 'publish' | 'send';

/** The same at every door, a workflow's as well. @throws FactlineError DRAFT_MISDIRECTED */
export const assertVerb = (verb: Verb, drafts: readonly Draft[]): void => {
  for (const draft of drafts) {
    const wanted = isCommandDraft(draft) ? 'send' : 'publish';
    if (wanted === verb) continue;
    const kind = wanted === 'send' ? 'a command' : 'an event';
    throw new FactlineError('DRAFT_MISDIRECTED', { type: draft.type, kind, given: verb, verb: wanted });
  }
};
