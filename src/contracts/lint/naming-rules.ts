import { type LintRule, perContract } from './lint-rule.ts';
import { isOnlyPastTense, isPastTense } from './past-tense.ts';
import { wordsOf } from './payload-fields.ts';

const crudWords: ReadonlySet<string> = new Set(
  'changed created deleted edited inserted modified saved updated upserted'.split(' '),
);
const transportWords: ReadonlySet<string> = new Set(
  'amqp cdc event kafka message msg nats pubsub queue rabbit rabbitmq sns sqs topic webhook'.split(' '),
);

const lastWord = (action: string): string => action.split(/[-_]/).at(-1) ?? '';

export const namingRules: readonly LintRule[] = [
  {
    name: 'name-form',
    severity: 'error',
    why: 'People and tools find an event by its parts: whose it is, what it is about, what happened, which version.',
    find: perContract(({ parts }) =>
      parts.length === 3
        ? []
        : [
            {
              message: `It has ${parts.length} parts before the version instead of three.`,
              remedy:
                'Name it domain.entity.action.vN; join words with hyphens (payment.card-charge.failed.v1).',
            },
          ],
    ),
  },
  {
    name: 'past-tense',
    severity: 'error',
    why: 'An event is a fact. A name in another form is a wish or a command, and sooner or later somebody refuses it.',
    find: perContract(({ action, contract }) =>
      isPastTense(action) || contract.kind === 'command'
        ? []
        : [
            {
              message: `"${action}" does not say that something happened.`,
              remedy: 'End the action with a verb in the past tense: placed, paid, payment-failed.',
            },
          ],
    ),
  },
  {
    name: 'imperative',
    severity: 'error',
    why: 'A command asks for something that may be refused. Named like a fact it is taken for one, and somebody relies on it.',
    find: perContract(({ action, contract }) =>
      contract.kind === 'command' && isOnlyPastTense(action)
        ? [
            {
              message: `"${action}" says that something has happened, and it is a command.`,
              remedy:
                'Name what is asked for: charge, reserve-stock, send-invoice; the reply says what came of it.',
            },
          ]
        : [],
    ),
  },
  {
    name: 'crud-word',
    severity: 'error',
    why: 'A row changed is not what happened in the business: every consumer has to guess the reason from the fields.',
    find: perContract(({ action }) =>
      crudWords.has(lastWord(action))
        ? [
            {
              message: `"${lastWord(action)}" tells about a row and not about the business.`,
              remedy:
                'Name what happened: registered, moved, renamed, cancelled; or one event for each reason.',
            },
          ]
        : [],
    ),
  },
  {
    name: 'transport-name',
    severity: 'error',
    why: 'The name outlives the broker, and that it is an event goes without saying.',
    find: perContract(({ parts }) =>
      parts
        .flatMap(wordsOf)
        .flatMap((word) =>
          transportWords.has(word)
            ? [{ message: `"${word}" names the transport.`, remedy: `Leave "${word}" out of the type.` }]
            : [],
        ),
    ),
  },
];
