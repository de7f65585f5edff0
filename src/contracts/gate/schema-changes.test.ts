import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  base,
  check,
  consumer,
  lockOf,
  now,
  placed,
  spend,
  subject,
  told,
  type,
} from '../../../test/contracts/gate-shop.ts';
import { avroSchema } from '../formats/avro.ts';
import { protobufSchema } from '../formats/protobuf.ts';
import { accept } from './accept.ts';
import type { ContractsLock } from './lock.ts';
import { parseLock, renderLock } from './lock-text.ts';
import type { GateSubject } from './subject.ts';

let lock: ContractsLock;
beforeAll(async () => {
  lock = await lockOf(subject([placed()]));
});

describe('a change of the schema', () => {
  const change = async (shape: z.ZodRawShape, terms = {}, locked = {}): Promise<string[]> =>
    told(
      await check(
        await lockOf(subject([placed(base, locked)])),
        subject([placed(shape, { ...locked, ...terms })]),
      ),
    );

  test('that old data fits is only to be accepted', async () => {
    expect(await change({ ...base, voucher: z.string().optional() })).toEqual(['not-accepted']);
    expect(await change({ ...base, voucher: z.string().default('none') })).toEqual(['not-accepted']);
  });

  test('that old data breaks is told with its place, its proof, its consumers and its owner', async () => {
    const findings = await check(lock, subject([placed({ ...base, voucher: z.string() })]));
    const broken = findings.find(({ kind }) => kind === 'break');
    expect(broken).toMatchObject({
      contract: type,
      severity: 'error',
      approver: 'orders',
      format: 'json-schema',
    });
    expect(broken?.path).toContain('voucher');
    expect(placed().schema['~standard'].validate(broken?.witness)).toMatchObject({
      value: expect.anything(),
    });
    expect(
      placed({ ...base, voucher: z.string() }).schema['~standard'].validate(broken?.witness),
    ).toHaveProperty('issues');
    expect(broken?.affected).toEqual([
      {
        name: 'payment',
        class: 'operational',
        owner: 'payment',
        reads: ['orderId', 'pence'],
        uses: 'no',
        known: 'declared',
        live: [],
      },
      {
        name: 'spend',
        class: 'projection',
        owner: 'spend',
        reads: null,
        uses: 'unknown',
        known: 'declared',
        live: [],
      },
    ]);
  });

  test('is weighed by the forms that meet: a default is filled in by the reader', async () => {
    const withDefault = { ...base, currency: z.string().default('GBP') };
    // What producers wrote always has it, so requiring it breaks nobody.
    const accepted = await lockOf(subject([placed(withDefault)]));
    expect(told(await check(accepted, subject([placed({ ...base, currency: z.string() })])))).toEqual([
      'not-accepted',
    ]);
  });

  test('is compared under the mode of the contract', async () => {
    const without = { orderId: z.string(), note: z.string().optional() };
    const read = { consumers: [spend] };
    const under = async (compatibility: string, shape: z.ZodRawShape): Promise<string[]> => {
      const terms = { compatibility };
      const accepted = await lockOf(subject([placed(base, terms)], read));
      return told(await check(accepted, subject([placed(shape, terms)], read))).map(
        (each) => each.split(' ')[0] ?? '',
      );
    };
    const added = { ...base, voucher: z.string() };
    expect(await under('backward', without)).toEqual(['not-accepted']);
    expect(await under('forward', without)).toHaveLength(2);
    expect(await under('full', without)).toHaveLength(2);
    expect(await under('forward', added)).toEqual(['not-accepted']);
    expect(await under('backward', added)).toHaveLength(2);
    expect(await under('none', { orderId: z.string() })).toEqual(['not-accepted']);
  });

  test('does not escape by weakening its mode in the same breath', async () => {
    const findings = await change({ ...base, voucher: z.string() }, { compatibility: 'none' });
    expect(findings).toContain('compatibility-weakened');
    expect(findings).toHaveLength(3);
  });

  test('under a transitive mode is held against every earlier version', async () => {
    const small = { orderId: z.string(), pence: z.int() };
    const accepted = async (compatibility: string): Promise<string[]> => {
      const terms = { compatibility };
      let current = await lockOf(subject([placed({ ...small, code: z.int() }, terms)]));
      for (const shape of [small, { ...small, note: z.string().optional() }]) {
        const request = {
          lock: current,
          subject: subject([placed(shape, terms)]),
          types: [],
          waivers: [],
          now,
        };
        current = (await accept(request)).lock;
      }
      expect(renderLock(current).includes('"history"')).toBe(compatibility.endsWith('-transitive'));
      // The newest version knows no code; the first one wrote numbers there.
      const again = placed({ ...small, note: z.string().optional(), code: z.string().optional() }, terms);
      return told(await check(parseLock(renderLock(current), 'lock'), subject([again])));
    };
    expect(await accepted('backward')).toEqual(['not-accepted']);
    const [broken, ...rest] = await accepted('backward-transitive');
    expect([broken, rest]).toEqual([expect.stringContaining('/code'), ['not-accepted']]);
  });

  test('tells nothing about what already differed between what is written and what is accepted', async () => {
    const findings = await check(lock, subject([placed({ ...base, voucher: z.string().optional() })]));
    const changes = findings.filter(({ kind }) => kind === 'notice');
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.filter(({ path }) => path !== '/voucher')).toEqual([]);
  });
});

test('a schema that cannot be compared is told of its contract, and the others are checked', async () => {
  const remote = { type: 'object', properties: { a: { $ref: 'https://example.org/a.json' } } };
  const own = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value: unknown) => ({ value }),
      jsonSchema: { input: () => remote, output: () => remote },
    },
  };
  const findings = await check(lock, subject([placed(base, { schema: own })]));
  expect(findings.map(({ rule, approver }) => [rule, approver])).toEqual([
    ['schema-invalid', 'orders'],
    ['read-not-promised', 'orders'],
    ['read-not-promised', 'orders'],
    ['not-accepted', null],
  ]);
  expect(findings[0]?.message).toContain('example.org');
});

describe('a contract in several encodings', () => {
  const avro = (fields: readonly object[]) =>
    avroSchema<{ orderId: string }>({
      type: 'record',
      name: 'Order',
      fields: [{ name: 'orderId', type: 'string' }, ...fields],
    });
  const proto = (fields: string) =>
    protobufSchema<{ orderId: string }>(
      `syntax = "proto3"; package shop; message Order { string order_id = 1; ${fields} }`,
      'shop.Order',
    );
  const shape = { orderId: z.string() };
  const of = (...encodings: readonly unknown[]): GateSubject =>
    subject([placed(shape, { encodings })], { consumers: [spend] });
  const change = async (before: readonly unknown[], after: readonly unknown[]): Promise<string[]> =>
    (await check(await lockOf(of(...before)), of(...after)))
      .filter(({ severity }) => severity === 'error')
      .map(({ kind, rule, format = 'none' }) => (kind === 'break' ? format : rule));

  test('is checked in each of them', async () => {
    const int = [{ name: 'pence', type: 'int' }];
    expect(await change([avro(int), proto('')], [avro(int), proto('')])).toEqual([]);
    expect(await change([avro([])], [avro(int)])).toEqual(['avro', 'not-accepted']);
    expect(await change([avro([])], [avro([{ ...int[0], default: 0 }])])).toEqual(['not-accepted']);
    expect(await change([proto('int32 pence = 2;')], [proto('string pence = 2;')])).toEqual([
      'protobuf',
      'not-accepted',
    ]);
    // The envelope is JSON: there a new name is a new field.
    expect(await change([proto('int32 pence = 2;')], [proto('int32 amount = 2;')])).toEqual([
      'protobuf',
      'not-accepted',
    ]);
    expect(await change([proto('')], [proto('int32 pence = 2;')])).toEqual(['not-accepted']);
  });

  test('may gain one, and may not lose one', async () => {
    expect(await change([], [avro([])])).toEqual(['not-accepted']);
    const findings = await check(await lockOf(of(avro([]))), of());
    expect(told(findings)).toEqual(['encoding-removed', 'not-accepted']);
    expect(findings[0]).toMatchObject({ format: 'avro', approver: 'orders', affected: [{ name: 'spend' }] });
  });

  describe('of which one is Protobuf: what a consumer reads', () => {
    const order = (fields: string) => placed(shape, { schema: proto(fields), encodings: [], key: 'orderId' });
    const reading = (fields: string, ...reads: string[]): GateSubject =>
      subject([order(fields)], { consumers: [consumer('payment', { reads: new Map([[type, reads]]) })] });

    test('must be promised, by its name in JSON', async () => {
      const [before, after] = [reading('int32 pence_sum = 2;', 'penceSum'), reading('', 'penceSum')];
      expect(told(await check(await lockOf(before), before))).toEqual([]);
      const findings = await check(await lockOf(before), after);
      expect(told(findings)).toContain('read-not-promised /penceSum');
      expect(findings.find(({ rule }) => rule === 'read-not-promised')).toMatchObject({
        kind: 'break',
        affected: [{ name: 'payment' }],
      });
    });

    test('is hit by a change under its name in the file', async () => {
      const findings = await check(
        await lockOf(reading('int32 pence_sum = 2;', 'penceSum')),
        reading('string pence_sum = 2;', 'penceSum'),
      );
      expect(findings.find(({ kind }) => kind === 'break')).toMatchObject({
        affected: [{ name: 'payment', uses: 'yes' }],
      });
    });

    test('is promised when another encoding promises it, which each payload fits', async () => {
      const both = (fields: string): GateSubject =>
        subject([placed({ ...shape, pence: z.int() }, { encodings: [proto(fields)] })], {
          consumers: [consumer('payment', { reads: new Map([[type, ['pence']]]) })],
        });
      expect(told(await check(lock, both('int32 pence = 2;')))).not.toContain('read-optional /pence');
      expect(told(await check(lock, both('')))).toContain('read-not-promised /pence');
    });
  });
});
