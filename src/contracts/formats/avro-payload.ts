import { type AvroRecord, type AvroType, type AvroUnion, describeAvro } from '../avro/avro-type.ts';
import { fitsDefault } from '../avro/fits-default.ts';
import { type Fault, isPlainObject } from './file-schema.ts';

type Path = readonly PropertyKey[];

/** What a JSON value looks like; two branches of a union that look alike are told apart by their name. */
const looksOf = ({ kind }: AvroType): string => {
  switch (kind) {
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return 'number';
    case 'bytes':
    case 'fixed':
    case 'enum':
      return 'string';
    case 'record':
    case 'map':
      return 'object';
    default:
      return kind;
  }
};

const looksOfValue = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;

const branchName = (type: AvroType): string => ('name' in type ? type.name : type.kind);

const isAmbiguous = ({ branches }: AvroUnion): boolean =>
  new Set(branches.map(looksOf)).size < branches.length;

/** One reading of one payload. */
export class AvroPayload {
  readonly faults: Fault[] = [];

  /** The payload as the schema has it; worth something only without faults. */
  read(type: AvroType, value: unknown, path: Path): unknown {
    switch (type.kind) {
      case 'array':
        if (Array.isArray(value))
          return value.map((item, index) => this.read(type.items, item, [...path, index]));
        break;
      case 'map':
        if (isPlainObject(value))
          return Object.fromEntries(
            Object.entries(value).map(([name, item]) => [
              name,
              this.read(type.values, item, [...path, name]),
            ]),
          );
        break;
      case 'record':
        if (isPlainObject(value)) return this.#record(type, value, path);
        break;
      case 'union':
        return this.#union(type, value, path);
      default:
        if (fitsDefault(type, value)) return value;
    }
    return this.#refuse(type, path);
  }

  #record(type: AvroRecord, value: Readonly<Record<string, unknown>>, path: Path): unknown {
    const members: [string, unknown][] = [];
    for (const field of type.fields.values()) {
      const given = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
      const present = given === undefined ? field.default : given;
      members.push([field.name, this.read(field.type, present, [...path, field.name])]);
    }
    return Object.fromEntries(members);
  }

  #union(type: AvroUnion, value: unknown, path: Path): unknown {
    if (!isAmbiguous(type)) {
      const branch = type.branches.find((each) => looksOf(each) === looksOfValue(value));
      return branch === undefined ? this.#refuse(type, path) : this.read(branch, value, path);
    }
    if (value === null && type.branches.some(({ kind }) => kind === 'null')) return null;
    const [name, ...more] = isPlainObject(value) ? Object.keys(value) : [];
    const branch = more.length > 0 ? undefined : type.branches.find((each) => branchName(each) === name);
    if (branch === undefined || name === undefined) {
      const names = type.branches.map((each) => JSON.stringify(branchName(each))).join(' or ');
      this.faults.push({ path, message: `is not an object with the one member ${names}` });
      return undefined;
    }
    const inner = (value as Readonly<Record<string, unknown>>)[name];
    return { [name]: this.read(branch, inner, [...path, name]) };
  }

  #refuse(type: AvroType, path: Path): undefined {
    this.faults.push({ path, message: `is not ${describeAvro(type)}` });
  }
}
