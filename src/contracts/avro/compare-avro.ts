import { brokenBy, type Change, type CompareDirection, type Comparison } from '../compare/comparison.ts';
import { avroChange } from './avro-changes.ts';
import { AvroFindings } from './avro-findings.ts';
import { AvroReading } from './avro-reading.ts';
import { type AvroType, describeAvro } from './avro-type.ts';
import { AvroWitnesses } from './avro-witness.ts';
import { readAvro } from './read-avro.ts';

export interface CompareAvroRequest {
  /** Parsed schemas: an object, a union's list, or a type's name. */
  readonly old: unknown;
  readonly new: unknown;
  /** 'backward': can the new schema read what the old one wrote? */
  readonly direction: CompareDirection;
  /** Other decimals, time units and the like are breaking. Apache's own check ignores them: false does as well. Default: true. */
  readonly logicalTypes?: boolean;
}

/**
 * Compares two Avro schemas by the rules of schema resolution.
 * @throws FactlineError SCHEMA_INVALID
 * @example compareAvro({ old: 'int', new: 'long', direction: 'backward' }).compatible // true
 */
export const compareAvro = (request: CompareAvroRequest): Comparison => {
  const { direction, logicalTypes = true } = request;
  const old = readAvro(request.old, 'old');
  const after = readAvro(request.new, 'new');
  const isBackward = direction === 'backward';
  const [reader, writer] = isBackward ? [after, old] : [old, after];
  const [readerSchema, writerSchema] = isBackward ? [request.new, request.old] : [request.old, request.new];
  const reading = new AvroReading(logicalTypes);
  const compatible = reading.reads(reader, writer);
  const findings = new AvroFindings(reading);
  findings.walk(reader, writer, rootPath(old));
  const witnesses = new AvroWitnesses({ reader, writer, readerSchema, writerSchema });
  const changes = findings.found
    .filter(({ rule }) => logicalTypes || !rule.startsWith('logical-type'))
    .map((finding): Change => {
      const change = avroChange(finding, direction);
      const witness = change.severity === 'breaking' ? witnesses.find(finding) : undefined;
      return witness === undefined ? change : { ...change, witness };
    })
    // What was decided stands, also where explaining it met a bound.
    .filter(({ severity }) => severity !== 'breaking' || !compatible);
  if (!compatible && !changes.some(({ severity }) => severity === 'breaking'))
    changes.push(notProved(rootPath(old), direction));
  return { compatible, changes };
};

/**
 * Refuses what is not an Avro schema.
 * @throws FactlineError SCHEMA_INVALID
 */
export const checkAvro = (schema: unknown, side: 'old' | 'new'): void => void readAvro(schema, side);

const rootPath = (type: AvroType): string => ('name' in type ? type.name : describeAvro(type));

const notProved = (path: string, direction: CompareDirection): Change => ({
  rule: 'not-proved',
  path,
  severity: 'breaking',
  message: 'The schemas are too large or too deeply recursive to be compared; that counts as incompatible.',
  breaks: brokenBy[direction],
  remedy: 'Split the schema into smaller ones.',
});
