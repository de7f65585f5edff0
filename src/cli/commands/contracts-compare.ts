import { createReadStream } from 'node:fs';
import path from 'node:path';
import {
  type CompareRequest,
  compare,
  compareBatch,
  fetchReferences,
  RemoteDocuments,
} from '../../contracts/index.ts';
import { exitCodes, FactlineError } from '../../foundation/index.ts';
import type { Command, CommandContext, Given } from '../command.ts';
import { readSchema, type SchemaOnDisk } from '../schema-files.ts';

export const contractsCompare: Command = {
  path: ['contracts', 'compare'],
  summary: 'Say whether a schema may take the place of earlier ones.',
  description:
    'Compares two schemas and writes one JSON object: { compatible, changes }. Exit code 0: compatible; 1: incompatible; 2: bad input. Needs neither an app nor a database. docs/compare.md explains the rules.',
  arguments: [
    { name: 'OLD', help: 'The newest earlier schema: a file, or a folder of .proto files.', required: false },
    { name: 'NEW', help: 'The schema that is to take its place.', required: false },
  ],
  options: [
    { name: 'format', value: 'FORMAT', help: 'json-schema, avro or protobuf.' },
    {
      name: 'mode',
      value: 'MODE',
      help: 'backward, forward or full (each also with -transitive), or none. Protobuf also: wire, wire-json, package, file, csr, buf:RULE_ID.',
    },
    { name: 'policy', value: 'POLICY', help: 'JSON Schema: strict or lenient. Default: strict.' },
    {
      name: 'draft',
      value: 'DRAFT',
      help: 'JSON Schema: 2020-12, 2019-09, draft-07, -06 or -04. Default: what $schema says, else 2020-12.',
    },
    {
      name: 'history',
      value: 'FILE',
      help: 'A version before OLD; again for each, the oldest first. For transitive modes.',
      many: true,
    },
    {
      name: 'logical-types',
      help: "Avro: do not look at logical types, as Apache's own check.",
      negated: true,
    },
    {
      name: 'fetch',
      value: 'PREFIX',
      help: 'JSON Schema: fetch documents that schemas refer to, if their address begins with PREFIX; again for each. Without it nothing is fetched.',
      many: true,
    },
    {
      name: 'batch',
      value: 'FILE',
      help: 'Answer each line of FILE (- is standard input) with a line, instead of OLD and NEW.',
    },
  ],
  examples: [
    {
      line: 'factline contracts compare --format avro --mode backward v1.avsc v2.avsc',
      does: 'may v2 read what v1 wrote?',
    },
    {
      line: 'factline contracts compare --format protobuf --mode wire-json v1 v2',
      does: 'folders of .proto files',
    },
    { line: 'factline contracts compare --batch - < pairs.jsonl', does: 'one answer for each line' },
  ],
  json: [
    { name: 'compatible', help: 'No change is breaking.' },
    { name: 'changes[].rule, .path, .severity', help: 'What, where; breaking, warning or info.' },
    { name: 'changes[].message, .old, .new', help: 'For people.' },
    { name: 'changes[].breaks, .remedy', help: 'Who is broken, and a safe way to do it.' },
    { name: 'changes[].witness', help: 'A value that one schema accepts and the other refuses.' },
    { name: 'changes[].version', help: 'Of transitive modes: which earlier version, from 1 (the oldest).' },
    { name: 'id', help: 'Of --batch: as the line gave it, or null.' },
    { name: 'error, message', help: 'Of --batch, in place of an answer: "bad-input", and why.' },
  ],
  run: (context) => (context.given.text('batch') !== undefined ? runBatch(context) : runPair(context)),
};

const runPair = async ({ given, terminal, signal }: CommandContext): Promise<number> => {
  const request = requestOf(given, terminal.directory);
  const documents = documentsOf(given, signal);
  const whole = documents === undefined ? request : await fetchReferences(request, documents);
  const { compatible, changes } = await compare(whole);
  terminal.out(JSON.stringify({ compatible, changes }));
  return compatible ? 0 : exitCodes.failure;
};

/** Undefined when nothing may be fetched. */
const documentsOf = (given: Given, signal: AbortSignal): RemoteDocuments | undefined => {
  const from = given.all('fetch');
  return from.length === 0 ? undefined : new RemoteDocuments({ from, signal });
};

const requestOf = (given: Given, directory: string): CompareRequest => {
  const [old, after] = given.arguments;
  const format = required(given, 'format');
  const mode = required(given, 'mode');
  if (old === undefined || after === undefined) {
    const argument = old === undefined ? 'OLD and NEW, or --batch' : 'NEW';
    throw new FactlineError('ARGUMENT_MISSING', { command: 'contracts compare', argument });
  }
  const read = (file: string, named: string): SchemaOnDisk => readSchema({ directory, file }, format, named);
  const [before, now] = [read(old, 'OLD'), read(after, 'NEW')];
  const policy = given.text('policy');
  const draft = given.text('draft');
  // What cannot be known here is refused by `compare`.
  return {
    format: format as CompareRequest['format'],
    mode: mode as CompareRequest['mode'],
    ...('text' in before ? { old: before.text } : { oldFiles: before.files }),
    ...('text' in now ? { new: now.text } : { newFiles: now.files }),
    history: given.all('history').map((file) => {
      const version = read(file, '--history');
      return 'text' in version ? version.text : version.files;
    }),
    ...(policy !== undefined && { policy: policy as 'strict' }),
    ...(draft !== undefined && { draft }),
    ...(given.has('no-logical-types') && { logicalTypes: false }),
  };
};

const required = (given: Given, option: string): string => {
  const text = given.text(option);
  if (text !== undefined) return text;
  throw new FactlineError('ARGUMENT_MISSING', { command: 'contracts compare', argument: `--${option}` });
};

/** A line that cannot be used is part of the answer, not a failure of the command. */
const runBatch = async ({ given, terminal, signal }: CommandContext): Promise<number> => {
  const file = given.text('batch') ?? '-';
  if (given.arguments.length > 0)
    throw new FactlineError('ARGUMENT_UNEXPECTED', { command: 'contracts compare --batch', argument: 'OLD' });
  const input = file === '-' ? terminal.input : openFile(file, terminal.directory);
  for await (const answer of compareBatch(input, documentsOf(given, signal))) {
    terminal.out(answer);
    await terminal.drained();
    if (signal.aborted) break;
  }
  return 0;
};

async function* openFile(file: string, directory: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path.resolve(directory, file));
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    const details = {
      option: '--batch',
      expected: 'a file that can be read',
      actual: `${file} (${code ?? message})`,
    };
    throw new FactlineError('OPTION_INVALID', details, { cause: error });
  }
}
