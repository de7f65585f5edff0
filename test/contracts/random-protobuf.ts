/** Random .proto files in proto3 and small changes of them. */

export interface RandomField {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly label: '' | 'optional ' | 'repeated ';
  readonly oneof: string | null;
}

interface RandomMessage {
  readonly name: string;
  readonly fields: readonly RandomField[];
  readonly reserved: readonly number[];
}

export interface RandomSchema {
  readonly messages: readonly RandomMessage[];
  readonly values: readonly number[];
}

const scalars =
  'int32 int64 uint32 uint64 sint32 sint64 bool fixed32 sfixed64 float double string bytes'.split(' ');
const types = [...scalars, 'string', 'int32', 'M0', 'M1', 'Status', 'map<string, int32>', 'map<int32, M1>'];

export class ProtobufGenerator {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  schema(): RandomSchema {
    const messages = ['M0', 'M1'].map((name) => ({
      name,
      fields: [1, 2, 3, 4].filter(() => this.#random() < 0.7).map((number) => this.#field(number)),
      reserved: [],
    }));
    return { messages, values: [0, 1, 2] };
  }

  changed(schema: RandomSchema): RandomSchema {
    const roll = this.#random();
    if (roll < 0.08) return { ...schema, values: schema.values.slice(0, -1) };
    const [first, ...others] = schema.messages;
    if (first === undefined) return schema;
    return { ...schema, messages: [this.#changedMessage(first), ...others] };
  }

  #changedMessage(message: RandomMessage): RandomMessage {
    const roll = this.#random();
    const { fields } = message;
    if (roll < 0.2) {
      const [gone, ...left] = fields;
      const reserved =
        gone !== undefined && this.#random() < 0.5 ? [...message.reserved, gone.number] : message.reserved;
      return { ...message, fields: left, reserved };
    }
    if (roll < 0.35) return { ...message, fields: [...fields, this.#field(9)] };
    if (roll < 0.45)
      return { ...message, fields: fields.map((field) => ({ ...field, name: `g${field.number}` })) };
    if (roll < 0.6)
      return {
        ...message,
        fields: fields.map((field) =>
          this.#random() < 0.5 && canJoin(field) ? { ...field, label: '', oneof: 'o' } : field,
        ),
      };
    const place = Math.floor(this.#random() * fields.length);
    return {
      ...message,
      fields: fields.map((field, index) => (index === place ? this.#field(field.number) : field)),
    };
  }

  #field(number: number): RandomField {
    const type = types[Math.floor(this.#random() * types.length)] as string;
    const roll = this.#random();
    const field = { number, name: `f${number}`, type, label: '', oneof: null } as const;
    if (type.startsWith('map')) return field;
    if (roll < 0.2) return { ...field, oneof: 'o' };
    return { ...field, label: roll < 0.4 ? 'repeated ' : roll < 0.5 ? 'optional ' : '' };
  }
}

const canJoin = ({ type, label }: RandomField): boolean => label !== 'repeated ' && !type.startsWith('map');

export const protobufText = ({ messages, values }: RandomSchema): string => {
  const line = ({ label, type, name, number }: RandomField): string => `${label}${type} ${name} = ${number};`;
  const body = ({ fields, reserved }: RandomMessage): string => {
    const inside = fields.filter(({ oneof }) => oneof !== null);
    const outside = fields.filter(({ oneof }) => oneof === null);
    return [
      ...reserved.map((number) => `reserved ${number};`),
      ...outside.map(line),
      ...(inside.length === 0 ? [] : [`oneof o { ${inside.map(line).join(' ')} }`]),
    ].join(' ');
  };
  return [
    'syntax = "proto3"; package shop;',
    ...messages.map((message) => `message ${message.name} { ${body(message)} }`),
    `enum Status { ${values.map((number) => `STATUS_${number} = ${number};`).join(' ')} }`,
  ].join('\n');
};
