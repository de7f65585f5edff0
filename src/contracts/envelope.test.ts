import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  contractVersionOf,
  defineEvent,
  isDraft,
  openEnvelope,
  payloadDigest,
  storedDraftText,
  toCloudEvent,
} from './index.ts';

const Noted = defineEvent({
  type: 'test.note.taken.v12',
  key: 'id',
  schema: z.looseObject({ id: z.string() }),
  retention: 'forever',
});

const envelope = {
  id: '01940000-0000-7000-8000-000000000000',
  source: 'shop "1"',
  correlationId: 'c',
  causationId: 'd',
};

/** What the log does with the text of the publish statement. */
const throughTheLog = (text: string) => {
  const row = JSON.parse(text) as Record<string, unknown>;
  return openEnvelope({
    position: '17',
    id: row['id'] as string,
    type: row['type'] as string,
    source: row['source'] as string,
    key: row['key'] as string,
    data: JSON.stringify(row['data']),
    meta: JSON.stringify(row['meta']),
    time: (row['time'] as string | null) ?? '2026-01-01T00:00:00.000Z',
    recordedAt: '2026-01-01T00:00:00.000Z',
  });
};

describe('what is written', () => {
  test('is one JSON object with the columns of the log', () => {
    const draft = Noted({ id: 'x"\n' }, { time: new Date(0), dedupeKey: 'k' });
    expect(
      JSON.parse(storedDraftText(draft, { ...envelope, traceparent: '00-a-b-01', tracestate: 'v=1' })),
    ).toEqual({
      id: envelope.id,
      type: 'test.note.taken.v12',
      source: 'shop "1"',
      key: 'id=x"\n',
      key_hash: draft.keyHash,
      data: { id: 'x"\n' },
      meta: {
        subject: 'x"\n',
        correlationId: 'c',
        causationId: 'd',
        traceparent: '00-a-b-01',
        tracestate: 'v=1',
        dedupeKey: 'k',
      },
      time: '1970-01-01T00:00:00.000Z',
      class: 'forever',
    });
  });

  test('leaves out what has no value, and leaves the time to the database', () => {
    const stored = JSON.parse(storedDraftText(Noted({ id: 'x' }), { ...envelope, causationId: null }));
    expect(stored).toMatchObject({ time: null, meta: { subject: 'x', correlationId: 'c' } });
    expect(Object.keys(stored.meta)).toEqual(['subject', 'correlationId']);
  });

  test('is what is read, for every payload that JSON can hold', () => {
    const storable = fc
      .jsonValue({ stringUnit: 'grapheme' })
      .filter((value) => !JSON.stringify(value).includes('\\u0000'));
    fc.assert(
      fc.property(
        storable,
        fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme-ascii' }),
        (value, id) => {
          const draft = Noted({ id, value });
          const event = throughTheLog(storedDraftText(draft, envelope));
          // JSON itself writes -0 as 0.
          expect(event.data).toEqual(JSON.parse(JSON.stringify({ id, value })));
          expect(event).toMatchObject({ key: `id=${id}`, subject: id, position: 17, causationId: 'd' });
          expect(draft.data).toEqual(event.data);
        },
      ),
    );
  });
});

describe('an opened envelope', () => {
  test('is built anew each time, so that one consumer never sees the changes of another', () => {
    const text = storedDraftText(Noted({ id: 'x', list: [] }), envelope);
    const first = throughTheLog(text);
    (first.data as { list: number[] }).list.push(1);
    expect(throughTheLog(text).data).toEqual({ id: 'x', list: [] });
  });

  test('becomes a CloudEvent with lower-case extensions and a sequence that sorts as text', () => {
    const event = throughTheLog(storedDraftText(Noted({ id: 'x' }), { ...envelope, causationId: null }));
    const cloudEvent = toCloudEvent(event);
    expect(cloudEvent).toEqual({
      specversion: '1.0',
      id: envelope.id,
      type: 'test.note.taken.v12',
      source: 'shop "1"',
      subject: 'x',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      data: { id: 'x' },
      partitionkey: 'id=x',
      sequence: '0000000000000017',
      recordedtime: '2026-01-01T00:00:00.000Z',
      correlationid: 'c',
    });
    for (const name of Object.keys(cloudEvent)) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
  });

  test('carries stream and version of an event-sourced aggregate', () => {
    const row = {
      position: 1,
      id: 'i',
      type: 't',
      source: 's',
      key: 'k',
      data: '{}',
      time: '',
      recordedAt: '',
    };
    const meta = '{"subject":"x","correlationId":"c"}';
    expect(openEnvelope({ ...row, meta, stream: 'order-1', version: '3' })).toMatchObject({
      stream: 'order-1',
      version: 3,
    });
    expect('stream' in openEnvelope({ ...row, meta, stream: null, version: null })).toBe(false);
  });
});

test('the digest of a payload does not depend on the order of its members', () => {
  const digest = (payload: { id: string }) => payloadDigest(Noted(payload));
  expect(digest({ id: 'x', a: 1, b: { c: 1, d: 2 } } as never)).toBe(
    digest({ b: { d: 2, c: 1 }, a: 1, id: 'x' } as never),
  );
  expect(digest({ id: 'x', a: 1 } as never)).not.toBe(digest({ id: 'x', a: 2 } as never));
});

test('a draft is recognised, what looks like one is not', () => {
  const draft = Noted({ id: 'x' });
  expect(isDraft(draft)).toBe(true);
  expect(isDraft({ ...draft })).toBe(false);
  expect(isDraft(null)).toBe(false);
});

test('the contract version is the number at the end of the type', () => {
  expect(contractVersionOf('a.b.c.v12')).toBe(12);
});
