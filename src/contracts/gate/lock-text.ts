import { canonicalJson, FactlineError, type Json } from '../../foundation/index.ts';
import { compatibilityModes, contractKinds } from '../check-declaration.ts';
import { contractDigest, digestOf } from './digest.ts';
import {
  type Approval,
  type ContractsLock,
  type LockedConsumer,
  type LockedContract,
  type LockedDeprecation,
  type LockedSchema,
  type LockedVersion,
  lockVersion,
  type Waiver,
} from './lock.ts';
import { createReader, isObject, type Reader } from './lock-shape.ts';

/** More contracts than any app has; beyond it something else was taken for a lock file. */
const lockBytesMax = 64 * 1024 * 1024;

/**
 * Reads the text of a lock file. Nothing in it is trusted: every value is checked, and the digests are computed again.
 * @throws FactlineError LOCK_CONFLICT, LOCK_NEWER, LOCK_INVALID, LOCK_EDITED
 */
export const parseLock = (text: string, file: string): ContractsLock => {
  refuseConflicts(text, file);
  const value = parseJson(text, file);
  const version = isObject(value) ? value['lockVersion'] : undefined;
  if (typeof version === 'number' && version > lockVersion)
    throw new FactlineError('LOCK_NEWER', { file, version, known: lockVersion });
  const reader = createReader();
  const lock = readLockValue(reader, value);
  if (reader.issues.length > 0) throw new FactlineError('LOCK_INVALID', { file, issues: reader.issues });
  const edited = editedContracts(lock, file);
  if (edited.length > 0) throw new FactlineError('LOCK_EDITED', { file, contracts: edited });
  return lock;
};

const refuseConflicts = (text: string, file: string): void => {
  const marker = /^(?:<{7}|\|{7}|={7}|>{7})(?: |\r?$)/m.exec(text);
  if (marker === null) return;
  const line = text.slice(0, marker.index).split('\n').length;
  throw new FactlineError('LOCK_CONFLICT', { file, line });
};

const parseJson = (text: string, file: string): unknown => {
  const refuse = (message: string, actual: string): never => {
    const issues = [{ path: '', expected: 'JSON', actual, message }];
    throw new FactlineError('LOCK_INVALID', { file, issues });
  };
  if (text.length > lockBytesMax)
    refuse(`is larger than ${lockBytesMax} characters`, `${text.length} characters`);
  try {
    return JSON.parse(text);
  } catch (error) {
    return refuse('is not JSON', error instanceof Error ? error.message : String(error));
  }
};

const formats = ['json-schema', 'avro', 'protobuf'] as const;

const readLockValue = (reader: Reader, value: unknown): ContractsLock => {
  const { lockVersion: version, ...root } = reader.object(value, 'the file', [
    'lockVersion',
    'app',
    'contracts',
    'waivers',
  ]);
  if (version !== lockVersion) reader.fail(version, 'lockVersion', String(lockVersion));
  return {
    app: reader.text(root['app'], 'app'),
    contracts: reader.members(root['contracts'], 'contracts', (each, path) =>
      readContract(reader, each, path),
    ),
    waivers: reader.list(root['waivers'], 'waivers', (each, path) => readWaiver(reader, each, path)),
  };
};

const optional = <T>(value: unknown, read: (value: unknown) => T, fallback: T): T =>
  value === undefined ? fallback : read(value);

const readContract = (reader: Reader, value: unknown, path: string): LockedContract => {
  const members = reader.object(value, path, [
    'digest',
    'kind',
    'key',
    'owner',
    'ordering',
    'retention',
    'compatibility',
    'policy',
    'highImpact',
    'sensitivity?',
    'producers?',
    'deprecated?',
    'replies?',
    'approval?',
    'consumers',
    'schemas',
    'history?',
  ]);
  const at = (name: string): string => `${path}.${name}`;
  const texts = (name: string): readonly string[] =>
    optional(members[name], (list) => reader.list(list, at(name), reader.text), []);
  return {
    digest: reader.text(members['digest'], at('digest')),
    kind: reader.choice(members['kind'], contractKinds, at('kind')),
    key: texts('key'),
    owner: reader.text(members['owner'], at('owner')),
    ordering: reader.choice(members['ordering'], ['key', 'global', 'none'], at('ordering')),
    retention: reader.choice(members['retention'], ['standard', 'forever'], at('retention')),
    compatibility: reader.choice(members['compatibility'], compatibilityModes, at('compatibility')),
    policy: reader.choice(members['policy'], ['strict', 'lenient'], at('policy')),
    highImpact: reader.flag(members['highImpact'], at('highImpact')),
    sensitivity: optional(
      members['sensitivity'],
      (fields) => reader.members(fields, at('sensitivity'), reader.text),
      new Map(),
    ),
    producers: texts('producers'),
    deprecated: optional(
      members['deprecated'],
      (each) => readDeprecation(reader, each, at('deprecated')),
      null,
    ),
    replies: texts('replies'),
    approval: optional(members['approval'], (each) => readApproval(reader, each, at('approval')), null),
    consumers: reader.members(members['consumers'], at('consumers'), (each, where) =>
      readConsumer(reader, each, where),
    ),
    schemas: readSchemas(reader, members['schemas'], at('schemas')),
    history: optional(
      members['history'],
      (list) => reader.list(list, at('history'), (each, where) => readVersion(reader, each, where)),
      [],
    ),
  };
};

const readDeprecation = (reader: Reader, value: unknown, path: string): LockedDeprecation => {
  const { since, until, replacement } = reader.object(value, path, ['since', 'until', 'replacement?']);
  return {
    since: reader.day(since, `${path}.since`),
    until: reader.day(until, `${path}.until`),
    replacement: optional<string | null>(
      replacement,
      (type) => reader.text(type, `${path}.replacement`),
      null,
    ),
  };
};

const readApproval = (reader: Reader, value: unknown, path: string): Approval => {
  const { by, at, digest } = reader.object(value, path, ['by', 'at', 'digest']);
  return {
    by: reader.text(by, `${path}.by`),
    at: reader.text(at, `${path}.at`),
    digest: reader.text(digest, `${path}.digest`),
  };
};

const readConsumer = (reader: Reader, value: unknown, path: string): LockedConsumer => {
  const members = reader.object(value, path, ['class', 'owner', 'ordering', 'reads', 'upcast?']);
  return {
    class: reader.text(members['class'], `${path}.class`),
    owner: reader.text(members['owner'], `${path}.owner`),
    ordering: reader.text(members['ordering'], `${path}.ordering`),
    upcast: optional(members['upcast'], (flag) => reader.flag(flag, `${path}.upcast`), false),
    reads: members['reads'] === null ? null : reader.list(members['reads'], `${path}.reads`, reader.text),
  };
};

/** Where the two forms are equal the file holds one. */
const readSchemas = (reader: Reader, value: unknown, path: string): readonly LockedSchema[] =>
  reader.list(value, path, (each, where) => {
    const members = reader.object(each, where, [
      'format',
      'outputDigest',
      'inputDigest?',
      'output',
      'input?',
    ]);
    const { output = null, input = output } = members as { readonly output?: Json; readonly input?: Json };
    const outputDigest = reader.text(members['outputDigest'], `${where}.outputDigest`);
    return {
      format: reader.choice(members['format'], formats, `${where}.format`),
      output,
      input,
      outputDigest,
      inputDigest: optional(
        members['inputDigest'],
        (digest) => reader.text(digest, `${where}.inputDigest`),
        outputDigest,
      ),
    };
  });

const readVersion = (reader: Reader, value: unknown, path: string): LockedVersion => {
  const { digest, schemas } = reader.object(value, path, ['digest', 'schemas']);
  return {
    digest: reader.text(digest, `${path}.digest`),
    schemas: readSchemas(reader, schemas, `${path}.schemas`),
  };
};

const readWaiver = (reader: Reader, value: unknown, path: string): Waiver => {
  const members = reader.object(value, path, ['contract', 'rule', 'path?', 'owner', 'reason', 'until?']);
  const text = (name: string): string => reader.text(members[name], `${path}.${name}`);
  return {
    contract: text('contract'),
    rule: text('rule'),
    path: optional(members['path'], () => text('path'), ''),
    owner: text('owner'),
    reason: text('reason'),
    until: optional<string | null>(members['until'], (day) => reader.day(day, `${path}.until`), null),
  };
};

const schemaHolds = ({ output, input, outputDigest, inputDigest }: LockedSchema): boolean =>
  digestOf(output) === outputDigest && digestOf(input) === inputDigest;

/** The contracts whose digests are not those of what stands beside them. */
const editedContracts = (lock: ContractsLock, file: string): readonly string[] => {
  try {
    return [...lock.contracts].flatMap(([type, contract]) => {
      const schemas = [...contract.schemas, ...contract.history.flatMap((version) => version.schemas)];
      return contractDigest(contract) === contract.digest && schemas.every(schemaHolds) ? [] : [type];
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const issues = [
      { path: 'contracts', expected: 'schemas', actual: 'more levels', message: 'is nested too deeply' },
    ];
    throw new FactlineError('LOCK_INVALID', { file, issues }, { cause: error });
  }
};

/**
 * The text of a lock file: sorted by type, one field a line, so that a review shows what changed and two branches only
 * conflict where they change the same contract.
 */
export const renderLock = (lock: ContractsLock): string => {
  const byType = [...lock.contracts].sort(([a], [b]) => compareText(a, b));
  const waivers = [...lock.waivers].sort((a, b) => compareText(waiverName(a), waiverName(b)));
  const value = {
    lockVersion,
    app: lock.app,
    contracts: Object.fromEntries(byType.map(([type, contract]) => [type, contractValue(contract)])),
    waivers: waivers.map(({ path, until, ...waiver }) => ({
      contract: waiver.contract,
      rule: waiver.rule,
      ...(path === '' ? {} : { path }),
      owner: waiver.owner,
      reason: waiver.reason,
      ...(until === null ? {} : { until }),
    })),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
};

/** By code unit: the same on every machine, whatever its language. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const waiverName = ({ contract, rule, path }: Waiver): string => `${contract} ${rule} ${path}`;

const contractValue = (contract: LockedContract): Readonly<Record<string, unknown>> => ({
  digest: contract.digest,
  kind: contract.kind,
  key: contract.key,
  owner: contract.owner,
  ordering: contract.ordering,
  retention: contract.retention,
  compatibility: contract.compatibility,
  policy: contract.policy,
  highImpact: contract.highImpact,
  ...(contract.sensitivity.size === 0 ? {} : { sensitivity: Object.fromEntries(contract.sensitivity) }),
  ...(contract.producers.length === 0 ? {} : { producers: contract.producers }),
  ...(contract.deprecated === null ? {} : { deprecated: deprecationValue(contract.deprecated) }),
  ...(contract.replies.length === 0 ? {} : { replies: contract.replies }),
  ...(contract.approval === null ? {} : { approval: contract.approval }),
  consumers: Object.fromEntries(
    [...contract.consumers]
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, { upcast, ...consumer }]) => [name, upcast ? { ...consumer, upcast } : consumer]),
  ),
  schemas: contract.schemas.map(schemaValue),
  ...(contract.history.length === 0
    ? {}
    : {
        history: contract.history.map(({ digest, schemas }) => ({
          digest,
          schemas: schemas.map(schemaValue),
        })),
      }),
});

const deprecationValue = ({ since, until, replacement }: LockedDeprecation) => ({
  since,
  until,
  ...(replacement === null ? {} : { replacement }),
});

const schemaValue = ({ format, output, input, outputDigest, inputDigest }: LockedSchema) => ({
  format,
  outputDigest,
  ...(inputDigest === outputDigest ? {} : { inputDigest }),
  output: sorted(output),
  ...(inputDigest === outputDigest ? {} : { input: sorted(input) }),
});

const sorted = (value: Json): Json => JSON.parse(canonicalJson(value)) as Json;
