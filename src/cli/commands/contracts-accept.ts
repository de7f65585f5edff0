import {
  type Accepted,
  accept,
  approve,
  type Finding,
  lintRules,
  type Waiver,
  writeLock,
} from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { Command, CommandContext, Given } from '../command.ts';
import { type GateProject, gateOptions, openGateProject } from '../gate-project.ts';
import { findingsLines } from '../gate-view.ts';

export const contractsAccept: Command = {
  path: ['contracts', 'accept'],
  summary: 'Write what the code says into the lock file, for review.',
  description:
    'Takes changes that are safe under the mode of their contract. What would break somebody is refused, unless the owner lets it pass on record: --waive with a reason and a day on which somebody looks at it again. Also mends a lock file after a merge. Commit the result and let the owners review it.',
  arguments: [{ name: 'TYPE', help: 'Only these contracts. Default: all.', required: false, many: true }],
  options: [
    {
      name: 'waive',
      value: 'RULE',
      help: 'Let this pass, as `check` names it; again for several; "all" for whatever breaks. Without TYPE: switch a rule of `lint` off.',
      many: true,
    },
    { name: 'path', value: 'PATH', help: 'Only at this place of the payload.' },
    { name: 'by', value: 'NAME', help: 'Who answers for it: the owner, or OWNER/PERSON.' },
    { name: 'reason', value: 'TEXT', help: 'Why; stays in the lock file.' },
    {
      name: 'until',
      value: 'DAY',
      help: 'The last day on which it holds, like 2026-12-31. Only rules of `lint` can do without.',
    },
    ...gateOptions,
  ],
  examples: [
    { line: 'factline contracts accept', does: 'everything that is safe' },
    { line: 'factline contracts accept shop.order.placed.v1', does: 'one contract' },
    {
      line: 'factline contracts accept --waive fat-event --by shop --reason "an export"',
      does: 'a rule of `lint` that does not fit',
    },
  ],
  json: [
    { name: 'lock', help: 'The file that was written.' },
    { name: 'changes', help: '{ TYPE: added, changed or removed }' },
    {
      name: 'waiversAdded[], waiversDropped[]',
      help: 'Exceptions that came, and ended ones that nothing needs any more.',
    },
    { name: 'findings[]', help: 'What is left to do before `check` passes; as there.' },
  ],
  run: async (context) => {
    const waivers = waiversOf(context.given);
    const project = await openGateProject(context);
    const types = context.given.arguments;
    const { lock, subject, lockFile } = project;
    try {
      const accepted = await accept({ lock, subject, types, waivers, now: context.clock.wall() });
      await writeLock(lockFile, accepted.lock);
      show(context, project, { ...accepted, waiversAdded: waivers });
      return undefined;
    } catch (error) {
      if (FactlineError.is(error, 'ACCEPT_REFUSED') && !context.json) showRefused(context, project, error);
      throw error;
    }
  },
};

/** @throws FactlineError WAIVER_INVALID with everything that is missing */
const waiversOf = (given: Given): readonly Waiver[] => {
  const rules = given.all('waive');
  const [by, reason, until, path] = ['by', 'reason', 'until', 'path'].map((name) => given.text(name)?.trim());
  const type = given.arguments[0] ?? 'TYPE';
  const refuse = (problem: string): never => {
    throw new FactlineError('WAIVER_INVALID', { type, reason: problem });
  };
  if (rules.length === 0) {
    const stray = ['path', 'by', 'reason', 'until'].filter((name) => given.text(name) !== undefined);
    return stray.length === 0 ? [] : refuse(`--${stray[0]} goes with --waive RULE`);
  }
  const lintRule = (rule: string): boolean => lintRules.some(({ name }) => name === rule);
  const forAll = given.arguments.length === 0;
  const missing = [
    ...(by ? [] : ['--by']),
    ...(reason ? [] : ['--reason']),
    ...(until || rules.every(lintRule) ? [] : ['--until']),
    ...(!forAll || rules.every(lintRule) ? [] : ['the TYPE']),
  ];
  if (missing.length > 0) refuse(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`);
  const contracts = forAll ? ['*'] : given.arguments;
  return contracts.flatMap((contract) =>
    rules.map((rule) => ({
      contract,
      rule,
      path: path ?? '',
      owner: by ?? '',
      reason: reason ?? '',
      until: until ?? null,
    })),
  );
};

type Shown = Accepted & { readonly waiversAdded: readonly Waiver[] };

const marks = { added: '+', changed: '~', removed: '-' } as const;

const show = (context: CommandContext, { lockName }: GateProject, accepted: Shown): void => {
  const { terminal, style, json } = context;
  const { changes, waiversAdded, waiversDropped, findings } = accepted;
  if (json) {
    terminal.out(
      JSON.stringify({
        lock: lockName,
        changes: Object.fromEntries(changes),
        waiversAdded,
        waiversDropped,
        findings,
      }),
    );
    return;
  }
  for (const [type, change] of [...changes].sort(([a], [b]) => (a < b ? -1 : 1)))
    terminal.out(`${style.bold(marks[change])} ${type}`);
  for (const { contract, rule } of waiversAdded)
    terminal.out(`${style.bold('+')} waiver ${rule} of ${contract}`);
  for (const { contract, rule } of waiversDropped)
    terminal.out(`${style.bold('-')} waiver ${rule} of ${contract}`);
  const nothing = changes.size + waiversAdded.length + waiversDropped.length === 0;
  terminal.out(
    nothing
      ? `${lockName} already says what the code says.`
      : `Written to ${lockName}. Commit it: its owners review it there.`,
  );
  const left = findings.filter(({ severity, waiver }) => severity === 'error' && waiver === null);
  for (const line of findingsLines(left, { width: terminal.width, style, lockName, all: false }))
    terminal.out(line);
};

const showRefused = (
  { terminal, style }: CommandContext,
  { lockName }: GateProject,
  error: FactlineError,
): void => {
  const findings = error.details['findings'] as readonly Finding[];
  for (const line of findingsLines(findings, { width: terminal.width, style, lockName, all: false }))
    terminal.out(line);
};

export const contractsApprove: Command = {
  path: ['contracts', 'approve'],
  summary: "Record the owner's word for a contract of high impact.",
  description:
    'Writes who approved which state (its digest) into the lock file. The approval is void as soon as the contract differs. The name is a record and no proof of identity: that is what the review of the lock file is for (CODEOWNERS).',
  arguments: [{ name: 'TYPE', help: 'The contract, as the code has it now.', required: true }],
  options: [{ name: 'by', value: 'NAME', help: 'The owner, or OWNER/PERSON. Required.' }, ...gateOptions],
  examples: [
    { line: 'factline contracts approve shop.order.placed.v1 --by orders/ada', does: 'ada signs for orders' },
  ],
  json: [
    { name: 'type', help: 'The contract.' },
    { name: 'approval', help: '{ by, at, digest }' },
    {
      name: 'accepted',
      help: 'Whether the lock file already holds this state; else `accept` is still to come.',
    },
  ],
  run: async (context) => {
    const { given, terminal, clock, json } = context;
    const by = given.text('by')?.trim();
    if (!by)
      throw new FactlineError('ARGUMENT_MISSING', { command: 'contracts approve', argument: '--by NAME' });
    const { lock, subject, lockFile, lockName } = await openGateProject(context);
    const type = given.arguments[0] ?? '';
    const approved = approve({ lock, subject, type, by, now: clock.wall() });
    await writeLock(lockFile, approved.lock);
    const { approval, accepted } = approved;
    if (json) terminal.out(JSON.stringify({ type, approval, accepted }));
    else {
      terminal.out(`${by} approves ${type} as it is now: ${approval.digest}`);
      terminal.out(`Written to ${lockName}. It is void as soon as the contract differs.`);
      if (!accepted) terminal.out(`Still to do: npx factline contracts accept ${type}`);
    }
    return undefined;
  },
};
