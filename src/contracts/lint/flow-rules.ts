import { type LintContext, type LintedContract, type LintRule, perContract } from './lint-rule.ts';

const replies: ReadonlySet<string> = new Set(
  'answered fetched provided replied responded supplied'.split(' '),
);
const returnAddress = /^(?:reply|response|answer)(?: to| topic| queue| channel| url)?$|^callback(?: url)?$/;

const words = (action: string): readonly string[] => action.split(/[-_]/);

const isReplyTo = (request: LintedContract, other: LintedContract): boolean => {
  const subject = words(request.action).slice(0, -1).join('-');
  const answered = words(other.action);
  return (
    other.domain === request.domain &&
    other.entity === request.entity &&
    replies.has(answered.at(-1) ?? '') &&
    answered.slice(0, -1).join('-') === subject
  );
};

/** Fields by which one event can be brought together with another. */
const identifiers = ({ fields, described }: LintedContract): ReadonlySet<string> =>
  new Set([
    ...described.key,
    ...fields.filter((field) => field.words.at(-1) === 'id').map(({ path }) => path),
  ]);

export const flowRules: readonly LintRule[] = [
  {
    name: 'request-reply',
    severity: 'warning',
    why: 'A question and its answer as two events couple both sides as a call would, without its timeout and its error.',
    find: perContract((contract, { contracts }: LintContext) => {
      if (contract.contract.kind === 'command') return [];
      const asks = words(contract.action).at(-1) === 'requested';
      const reply = asks ? contracts.find((other) => isReplyTo(contract, other)) : undefined;
      const address = contract.fields.find((field) => returnAddress.test(field.words.join(' ')));
      if (reply === undefined && address === undefined) return [];
      return [
        {
          ...(address === undefined ? {} : { path: address.path }),
          message:
            reply === undefined ? `${address?.path} says where to answer.` : `${reply.type} answers it.`,
          remedy:
            'Publish the fact from which the other side can act by itself; or, where one owner has to answer, declare a command with its replies (docs/commands.md).',
        },
      ];
    }),
  },
  {
    name: 'missing-correlation',
    severity: 'warning',
    why: 'A handler that takes several events of one story has to know which belong together.',
    find: ({ contracts, consumers }) =>
      consumers
        // What takes each event for itself (a projection's row, an export) needs none.
        .filter((consumer) => consumer.class !== 'projection' && consumer.ordering === 'key')
        .flatMap(({ name, types }) => {
          const handled = contracts.filter(({ type }) => types.includes(type));
          return handled
            .filter(
              (contract) => handled.length > 1 && !handled.some((other) => sharesIdentifier(contract, other)),
            )
            .map(({ type, described }) => ({
              contract: type,
              message: `${name} handles it with ${handled.length - 1} other event${handled.length === 2 ? '' : 's'}, and none of them shares its ${described.key.join(', ')} or another id.`,
              remedy: 'Carry the id of what the story is about (orderId) in each of its events.',
            }));
        }),
  },
];

const sharesIdentifier = (contract: LintedContract, other: LintedContract): boolean =>
  other !== contract && [...identifiers(other)].some((field) => identifiers(contract).has(field));
