import { type LintContext, type LintRule, perContract } from './lint-rule.ts';

const ownersByDomain = ({ contracts }: LintContext): ReadonlyMap<string, ReadonlySet<string>> => {
  const owners = new Map<string, Set<string>>();
  for (const { domain, described } of contracts)
    owners.set(domain, (owners.get(domain) ?? new Set()).add(described.owner));
  return owners;
};

/** Say nothing about which entity they name. */
const vagueKeys: ReadonlySet<string> = new Set(
  'code guid id key name no nr number ref reference uid uuid'.split(' '),
);

const weakness = { global: 0, key: 1, none: 2 } as const;

export const ownershipRules: readonly LintRule[] = [
  {
    name: 'several-owners',
    severity: 'error',
    why: 'Who may change an event must be one team: with two, each believes that the other one has looked.',
    find: (context) => {
      const owners = ownersByDomain(context);
      return context.contracts.flatMap(({ type, domain, described }) => {
        const others = [...(owners.get(domain) ?? [])].filter((owner) => owner !== described.owner).sort();
        return others.length === 0
          ? []
          : [
              {
                contract: type,
                message: `It belongs to ${described.owner}, but other events of ${domain} belong to ${others.join(', ')}.`,
                remedy: `Give ${domain} one owner, or put what is another team's under a domain of its own.`,
              },
            ];
      });
    },
  },
  {
    name: 'foreign-domain',
    severity: 'error',
    why: "An event under another team's name looks like that team's promise.",
    find: (context) => {
      const owners = new Set(context.contracts.map(({ described }) => described.owner));
      return context.contracts.flatMap(({ type, domain, described }) =>
        domain === described.owner || !owners.has(domain)
          ? []
          : [
              {
                contract: type,
                message: `${domain} is the name of a team, and the event belongs to ${described.owner}.`,
                remedy: `Publish it under a domain of ${described.owner}, or hand it over to ${domain}.`,
              },
            ],
      );
    },
  },
  {
    name: 'orphan-event',
    severity: 'warning',
    why: 'What nobody consumes nobody tests; it is kept compatible for no one, and is wrong when it is first needed.',
    find: perContract(({ contract, consumers, version, event }, { contracts, upcast, replies }) => {
      const { type, kind } = contract;
      // An older version has a rule of its own; integration events are for others, replies for who asked; commands are the gate's.
      const older = contracts.some((each) => each.event === event && each.version > version);
      const elsewhere = kind === 'integration' || kind === 'command' || replies.has(type);
      if (consumers.length > 0 || older || upcast.has(type) || elsewhere) return [];
      return [
        {
          message: 'No consumer of this app handles it.',
          remedy: "Take it out, or say kind: 'integration' when another app consumes it.",
        },
      ];
    }),
  },
  {
    name: 'retirable-version',
    severity: 'warning',
    why: 'Each version that is kept is one more that every change has to fit.',
    find: perContract(({ type, event, version, consumers, described }, { contracts, upcast }) => {
      const newer = contracts.filter((each) => each.event === event && each.version > version);
      const newest = newer.at(-1);
      if (newest === undefined || consumers.length > 0 || upcast.has(type) || described.deprecated !== null)
        return [];
      return [
        {
          message: `${newest.type} has taken its place, and nobody consumes it any more.`,
          remedy: `Retire it: npx factline contracts deprecate ${type} --replacement ${newest.type} --since DAY --until DAY`,
        },
      ];
    }),
  },
  {
    name: 'key-collision',
    severity: 'error',
    why: 'The key is the field with its value: two entities with a field of the same vague name share keys, so that order 17 waits behind customer 17.',
    find: perContract(({ domain, entity, described }, { contracts }) => {
      const vague = described.key.every((field) => vagueKeys.has(field.toLowerCase()));
      const others = contracts.filter(
        (each) =>
          `${each.domain}.${each.entity}` !== `${domain}.${entity}` &&
          each.described.key.join() === described.key.join(),
      );
      if (!vague || others.length === 0) return [];
      const names = [...new Set(others.map((each) => `${each.domain}.${each.entity}`))].sort();
      return [
        {
          message: `Its key is ${described.key.join(', ')}, as that of ${names.join(', ')}.`,
          remedy: `Name the field after the entity: ${entity.replaceAll(/[-_](.)/g, (_, letter: string) => letter.toUpperCase())}Id.`,
        },
      ];
    }),
  },
  {
    name: 'weaker-ordering',
    severity: 'warning',
    why: 'The producer promises an order because consumers are expected to need it; a weaker one handles events as if it were not there.',
    find: perContract(({ consumers, described }) =>
      consumers
        .filter(({ ordering }) => weakness[ordering] > weakness[described.ordering])
        .map(({ name, ordering }) => ({
          message: `It promises the order '${described.ordering}', and ${name} handles it with '${ordering}'.`,
          remedy: `Give ${name} the ordering '${described.ordering}', or see that it does not matter there.`,
        })),
    ),
  },
  {
    name: 'no-sla',
    severity: 'error',
    why: 'When a mistake in it hurts, being late hurts as well: without a promise nobody is told.',
    find: perContract(({ contract, described }) =>
      described.highImpact && contract.sla === undefined
        ? [
            {
              message: 'It has high impact, and no SLA says how soon it must be handled.',
              remedy: "Add sla: { handledWithin: '1m' }, with what the business expects.",
            },
          ]
        : [],
    ),
  },
];
