import path from 'node:path';
import type { ConsumerDefinition } from '../consumers/index.ts';
import {
  type ContractsLock,
  type GateConsumer,
  type GateSubject,
  lockFileName,
  readLock,
} from '../contracts/index.ts';
import { type LiveContracts, liveContracts } from '../operations/index.ts';
import type { CommandContext, CommandOption } from './command.ts';
import { appOption, loadApp } from './configuration.ts';
import { withDatabase } from './connection.ts';

export const gateOptions: readonly CommandOption[] = [
  appOption,
  {
    name: 'lock',
    value: 'FILE',
    help: `The lock file. Default: ${lockFileName} beside the file that exports the app.`,
  },
];

/** Of the commands that can also look at what runs. */
export const liveOptions: readonly CommandOption[] = [
  ...gateOptions,
  {
    name: 'live',
    help: "Also ask the app's database what runs: which releases, of which apps; how large payloads are.",
  },
  { name: 'database', value: 'URL', help: 'Ask this database instead.' },
];

/** What the gate's commands work with: the app's declarations (it is not started) and the lock file. */
export interface GateProject {
  readonly subject: GateSubject;
  /** Null before the first `accept`. */
  readonly lock: ContractsLock | null;
  readonly lockFile: string;
  /** As people see it: relative to where they are. */
  readonly lockName: string;
  /** A database is to be asked as well. */
  readonly live: boolean;
}

/** @throws FactlineError what `loadApp` and `readLock` throw, and with `--live` what `withDatabase` does */
export const openGateProject = async (context: CommandContext): Promise<GateProject> => {
  const { given, terminal } = context;
  const { internals, file } = await loadApp(context);
  const { name, owner, contracts, upcasters, consumers } = internals.settings;
  const asked = given.text('lock');
  const lockFile =
    asked === undefined
      ? path.join(path.dirname(file), lockFileName)
      : path.resolve(terminal.directory, asked);
  const lock = await readLock(lockFile);
  const subject = { app: name, owner, contracts, upcasters, consumers: consumers.map(gateConsumer) };
  const live = given.has('live') || given.text('database') !== undefined;
  const running = live
    ? await withDatabase(context, ({ database }) => liveContracts(database.operations))
    : [];
  return {
    subject: withLive(subject, running),
    lock,
    lockFile,
    lockName: path.relative(terminal.directory, lockFile),
    live,
  };
};

const gateConsumer = (definition: ConsumerDefinition): GateConsumer => ({
  name: definition.name,
  class: definition.class,
  ...(definition.owner === undefined ? {} : { owner: definition.owner }),
  types: [...definition.types],
  upcast: [...definition.types].filter((type) => definition.contracts.every((each) => each.type !== type)),
  ordering: definition.ordering,
  reads: definition.reads,
});

/** The consumers with the releases that run, and the consumers of other apps in the same database. */
const withLive = (subject: GateSubject, live: readonly LiveContracts[]): GateSubject => {
  const consumers = new Map(subject.consumers.map((consumer) => [consumer.name, consumer]));
  for (const { app, codeVersion, processes, consumers: running } of live)
    for (const [name, { class: kind, types, reads }] of Object.entries(running)) {
      const known = consumers.get(name) ?? {
        name,
        class: kind,
        owner: app,
        types: [],
        ordering: 'key',
        reads: reads && new Map(Object.entries(reads)),
      };
      consumers.set(name, { ...known, live: [...(known.live ?? []), { codeVersion, processes, types }] });
    }
  return { ...subject, consumers: [...consumers.values()] };
};
