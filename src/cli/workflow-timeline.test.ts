import { describe, expect, it } from 'vitest';
import type { InstanceDetail, TimelineEntry } from '../operations/index.ts';
import { styleOf, textWidth } from './style.ts';
import { instanceLines } from './workflow-timeline.ts';
import { instanceListLines } from './workflow-view.ts';

const style = styleOf(false);
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const view = { width: 110, style, nowMs };

const entry = (given: Partial<TimelineEntry>): TimelineEntry => ({
  undo: false,
  ordinal: 0,
  kind: 'step',
  name: 'reserve',
  state: 'done',
  attempts: 1,
  completion: 1,
  value: null,
  tooLarge: false,
  error: null,
  dueAt: null,
  beganAt: '2026-11-21T11:00:00.000Z',
  endedAt: '2026-11-21T11:00:00.250Z',
  waitsFor: null,
  ...given,
});
const failure = (message: string) => ({
  name: 'Error',
  code: null,
  message,
  stack: `Error: ${message}\n    at refund (file:///app/refund.ts:3:9)`,
  details: null,
});

const waiting: InstanceDetail = {
  id: 12,
  app: 'shop',
  workflow: 'fulfil-order',
  version: 2,
  executor: { id: 4, name: 'fulfil-order@2' },
  key: 'A1',
  state: 'waiting',
  ending: null,
  problem: null,
  held: false,
  deaths: 0,
  startedBy: { position: 4711, type: 'shop.order.placed.v1' },
  forkedFrom: null,
  lastCall: { kind: 'wait', name: 'wait parcels.parcel.scanned.v1 1', state: 'pending', attempts: 0 },
  rejectedStarts: 0,
  codeVersion: '2.4.1',
  dueAt: '2026-11-22T12:00:00.000Z',
  startedAt: '2026-11-21T11:00:00.000Z',
  changedAt: '2026-11-21T11:00:01.000Z',
  endedAt: null,
  input: { type: 'shop.order.placed.v1', data: { orderId: 'A1' } },
  result: { value: null, tooLarge: false },
  failure: null,
  difference: null,
  process: null,
  calls: [
    entry({ value: { ok: true } }),
    entry({ ordinal: 1, name: 'label', tooLarge: true, attempts: 3, endedAt: '2026-11-21T11:00:01.000Z' }),
    entry({
      ordinal: 2,
      kind: 'wait',
      name: 'wait parcels.parcel.scanned.v1 1',
      state: 'pending',
      attempts: 0,
      dueAt: '2026-11-22T12:00:00.000Z',
      endedAt: null,
      waitsFor: { type: 'parcels.parcel.scanned.v1', key: 'P1' },
    }),
  ],
  earlierCalls: 0,
  undos: [],
  repairs: [],
  requests: [],
};

describe('the timeline of an instance', () => {
  it('shows what it did, what it waits for and until when', () => {
    expect(instanceLines(waiting, view)).toEqual([
      '#12 fulfil-order v2  waiting',
      '',
      'key        A1',
      'started    2026-11-21T11:00:00.000Z (1 h ago) by shop.order.placed.v1 at position 4711',
      'at         wait parcels.parcel.scanned.v1 1, for another 1 d',
      'changed    2026-11-21T11:00:01.000Z (59 min 59 s ago)',
      'code       2.4.1',
      'input      {"type":"shop.order.placed.v1","data":{"orderId":"A1"}}',
      '',
      'Calls',
      '#     CALL                              TRIES  AT          TOOK  RESULT',
      '0  ✓  step reserve                          1  11:00:00  250 ms  {"ok":true}',
      '1  ✓  step label                            3  11:00:01     1 s  (too large to show: --value-bytes)',
      '2  …  wait parcels.parcel.scanned.v1 1         11:00:00          waits for P1, for another 1 d',
    ]);
  });

  it('shows a failed compensation with what people did and can do', () => {
    const stuck: InstanceDetail = {
      ...waiting,
      state: 'stuck',
      ending: 'failed',
      problem: 'compensation failed: the undo of step charge failed: provider is down',
      failure: failure('never scanned'),
      calls: [
        entry({ name: 'charge' }),
        entry({ ordinal: 1, name: 'ship', state: 'failed', error: failure('no van') }),
      ],
      undos: [
        entry({
          undo: true,
          name: 'charge',
          state: 'failed',
          attempts: 5,
          error: failure('provider is down'),
        }),
      ],
      repairs: [
        {
          id: 1,
          verb: 'retry',
          actor: 'ada',
          reason: 'it is back',
          detail: {},
          doneAt: '2026-11-21T11:30:00.000Z',
        },
      ],
      requests: [
        { id: 9, verb: 'skip', actor: 'bob', reason: null, requestedAt: '2026-11-21T11:59:00.000Z' },
      ],
    };
    const lines = instanceLines(stuck, view);
    expect(lines.slice(lines.indexOf('Calls'))).toEqual([
      'Calls',
      '#     CALL         TRIES  AT          TOOK  RESULT',
      '0  ✓  step charge      1  11:00:00  250 ms',
      '1  ✗  step ship        1  11:00:00  250 ms  no van',
      '',
      'Compensation',
      '#     CALL         TRIES  AT          TOOK  RESULT',
      '0  ✗  step charge      5  11:00:00  250 ms  provider is down',
      '',
      'Error',
      '  Error: never scanned',
      '    at refund (file:///app/refund.ts:3:9)',
      '',
      'Repairs',
      '  2026-11-21 11:30:00  ada  retry: it is back',
      '  request 9 waits for a process: skip by bob',
      '',
      'Try the undo again: factline workflow repair retry-step 12 --step "charge" --reason "…"',
      'Do without it:      factline workflow repair skip 12 --step "charge" --evidence "…" --reason "…"',
    ]);
  });

  it('puts journal and code side by side around the first difference', () => {
    const recorded = ['step a', 'step b', 'step c', 'step d', 'step charge', 'sleep 1'];
    const called = ['step a', 'step b', 'step c', 'step d', 'step pay'];
    const lines = instanceLines(
      {
        ...waiting,
        state: 'stuck',
        problem: 'nondeterministic: call 4 was step charge, the code calls step pay',
        difference: { ordinal: 4, recorded, called },
      },
      view,
    );
    expect(lines.slice(lines.indexOf('Journal and code'))).toEqual([
      'Journal and code',
      '#  JOURNAL         CODE',
      '1  step b       =  step b',
      '2  step c       =  step c',
      '3  step d       =  step d',
      '4  step charge  ≠  step pay',
      '5  sleep 1      ≠  –',
      '',
      'Deploy code that fits the journal (docs/workflows.md, "Versions"), then:',
      'Try again: factline workflow retry 12',
      'Give up:   factline workflow cancel 12 --reason "…"',
    ]);
  });

  it.each([40, 60, 80, 200])('fits %i columns, and steers no terminal', (width) => {
    const nasty = {
      ...waiting,
      key: 'A\u001b[2J1',
      calls: [entry({ name: 'x\u009b2J', value: '\u001b]0;x' })],
    };
    for (const line of instanceLines(nasty, { ...view, width })) {
      expect(textWidth(line)).toBeLessThanOrEqual(Math.max(width, 44));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not come through
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }
  });
});

describe('the list of instances', () => {
  it('says what each is at', () => {
    const instances = [
      waiting,
      {
        ...waiting,
        id: 11,
        state: 'running',
        held: true,
        lastCall: { kind: 'step', name: 'reserve', state: 'done', attempts: 1 },
      },
      { ...waiting, id: 10, state: 'compensating', ending: 'cancelled', problem: 'the customer called' },
      { ...waiting, id: 9, state: 'queued', lastCall: null },
      { ...waiting, id: 8, state: 'stuck', problem: 'killed the process: three times' },
    ] as const;
    expect(instanceListLines(instances, { ...view, width: 140 })).toEqual([
      'ID  WORKFLOW         KEY  STATE                     STARTED          CHANGED  AT',
      '12  fulfil-order v2  A1   waiting                   1 h ago  59 min 59 s ago  wait parcels.parcel.scanned.v1 1, for another 1 d',
      '11  fulfil-order v2  A1   running                   1 h ago  59 min 59 s ago  at work after step reserve',
      '10  fulfil-order v2  A1   compensating → cancelled  1 h ago  59 min 59 s ago  the customer called',
      ' 9  fulfil-order v2  A1   queued                    1 h ago  59 min 59 s ago  waits for the end of the living one',
      ' 8  fulfil-order v2  A1   stuck                     1 h ago  59 min 59 s ago  killed the process: three times',
      '',
      'More: factline workflow show 8',
    ]);
    expect(instanceListLines([], view)).toEqual(['No instance.']);
  });
});
