import { expect } from 'vitest';
import { z } from 'zod';
import type { EventContract } from '../../src/contracts/contract.ts';
import { defineEvent } from '../../src/contracts/define-event.ts';
import { accept } from '../../src/contracts/gate/accept.ts';
import { checkLock } from '../../src/contracts/gate/check-lock.ts';
import type { Finding } from '../../src/contracts/gate/finding.ts';
import type { ContractsLock } from '../../src/contracts/gate/lock.ts';
import type { GateConsumer, GateSubject } from '../../src/contracts/gate/subject.ts';

// A shop with one event and two consumers, for the tests of the gate.

export const type = 'shop.order.placed.v1';
export const now: Date = new Date('2026-06-15T12:00:00Z');

export const base = { orderId: z.string(), pence: z.int(), note: z.string().optional() };

export const placed = (
  shape: z.ZodRawShape = base,
  terms: Readonly<Record<string, unknown>> = {},
): EventContract =>
  defineEvent({
    type,
    key: 'orderId',
    owner: 'orders',
    schema: z.object(shape),
    ...terms,
  } as never) as EventContract;

export const consumer = (name: string, more: Partial<GateConsumer> = {}): GateConsumer => ({
  name,
  class: 'operational',
  owner: name,
  types: [type],
  ordering: 'key',
  reads: null,
  ...more,
});

export const payment: GateConsumer = consumer('payment', { reads: new Map([[type, ['orderId', 'pence']]]) });
export const spend: GateConsumer = consumer('spend', { class: 'projection' });

export const subject = (
  contracts: readonly EventContract[],
  more: Partial<GateSubject> = {},
): GateSubject => ({
  app: 'shop',
  contracts,
  upcasters: [],
  consumers: [payment, spend],
  ...more,
});

export const lockOf = async (given: GateSubject): Promise<ContractsLock> =>
  (await accept({ lock: null, subject: given, types: [], waivers: [], now })).lock;

export const check = async (
  lock: ContractsLock,
  given: GateSubject,
  at = now,
): Promise<readonly Finding[]> => {
  const report = await checkLock(lock, given, { now: at });
  expect(report.ok).toBe(
    !report.findings.some(({ severity, waiver }) => severity === 'error' && waiver === null),
  );
  return report.findings;
};

/** `rule path` of the findings that are not only told. */
export const told = (findings: readonly Finding[]): string[] =>
  findings.filter(({ severity }) => severity !== 'info').map(({ rule, path }) => `${rule} ${path}`.trim());
