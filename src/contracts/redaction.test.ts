import { expect, test } from 'vitest';
import { z } from 'zod';
import { ContractSet } from './contract-set.ts';
import { defineEvent } from './define-event.ts';
import { keyLevelOf, maskedValue, redaction, shownKey } from './redaction.ts';
import { defineUpcaster } from './upcasting/define-upcaster.ts';

const contract = {
  key: ['email'],
  sensitivity: { email: 'personal', 'card.number': 'secret', notes: 'personal' },
};

const stored = {
  position: 1,
  id: '0198c0de-7b1e-7a2b-9c3d-4e5f60718293',
  type: 'shop.letter.sent.v1',
  source: 'shop',
  key: 'id=1',
  data: '{"id":"1","mail":"grace.hopper@x.org"}',
  meta: '{}',
  time: '2030-01-01T00:00:00Z',
  recordedAt: '2030-01-01T00:00:00Z',
};

test('values of hidden fields are taken out of a text, in any case, as JSON and in URLs', () => {
  const redact = redaction(contract, [
    { email: 'Ada+1@example.com', card: { number: 4111, brand: 'visa' }, pence: 4200 },
  ]);
  expect(redact('no account of ada+1@EXAMPLE.com with visa 4111 for 4200')).toBe(
    'no account of (personal) with visa (secret) for 4200',
  );
  expect(redact('GET /accounts/Ada%2B1%40example.com')).toBe('GET /accounts/(personal)');
  expect(redaction(contract, [{ notes: 'a "quoted" word' }])('threw {"note":"a \\"quoted\\" word"}')).toBe(
    'threw {"note":"(personal)"}',
  );
});

test('everything below a hidden path is hidden, also in lists', () => {
  const redact = redaction(contract, [{ notes: [{ text: 'allergic to nuts' }, 'second floor'] }]);
  expect(redact('"allergic to nuts" beside second floor')).toBe('"(personal)" beside (personal)');
});

test('short values are taken out only where they stand alone, and places in code are kept', () => {
  const redact = redaction(contract, [{ notes: 'an', card: { number: 42 } }]);
  expect(redact('an answer: 42 of 420')).toBe('(personal) answer: (secret) of 420');
  expect(redact('Error: an answer\n    at an (file.ts:42:1)')).toBe(
    'Error: (personal) answer\n    at an (file.ts:42:1)',
  );
});

test('a longer value goes before one that it contains', () => {
  const redact = redaction(contract, [{ notes: ['Lovelace', 'Ada Lovelace'] }]);
  expect(redact('Ada Lovelace')).toBe('(personal)');
});

test('what nothing is hidden of stays as it is', () => {
  expect(redaction({ key: ['id'], sensitivity: {} }, [{ id: 'A1' }])('A1')).toBe('A1');
  expect(redaction(contract, [{ email: '', notes: null }, 'no object'])('nothing')).toBe('nothing');
});

test('a key is shown unless it is made of a hidden field', () => {
  expect(shownKey(contract, 'email=ada@example.com')).toBe('(personal)');
  expect(shownKey({ key: ['id'], sensitivity: { email: 'personal' } }, 'id=7')).toBe('id=7');
  expect(shownKey(contract, 'id=7')).toBe('id=7');
  expect(keyLevelOf({ key: ['customer'], sensitivity: { customer: 'secret' } })).toBe('secret');
});

test('a value is shown without its hidden fields, wherever it stands', () => {
  const { sensitivity } = contract;
  expect(maskedValue({ card: { number: 4111, brand: 'visa' } }, sensitivity, '')).toEqual({
    card: { number: '(secret)', brand: 'visa' },
  });
  expect(maskedValue([{ text: 'nuts' }], sensitivity, 'notes')).toBe('(personal)');
  expect(maskedValue(null, sensitivity, 'email')).toBeNull();
});

test('a contract set takes out what the contracts on the way of an event hide, as it was published and as it is read', () => {
  const First = defineEvent({
    type: 'shop.letter.sent.v1',
    key: 'id',
    schema: z.object({ id: z.string(), mail: z.string() }),
    sensitivity: { mail: 'personal' },
  });
  const Second = defineEvent({
    type: 'shop.letter.sent.v2',
    key: 'id',
    schema: z.object({ id: z.string(), name: z.string() }),
    sensitivity: { name: 'secret' },
  });
  const upcaster = defineUpcaster(First, Second, ({ id, mail }) => ({ id, name: mail.split('@')[0] ?? '' }));
  const set = new ContractSet([Second], [upcaster]);
  expect(set.redactionOf(stored)('to grace.hopper@x.org, dear grace.hopper')).toBe(
    'to (personal), dear (secret)',
  );
  expect(set.redactionOf({ ...stored, type: 'shop.stranger.came.v1' })('grace.hopper')).toBe('grace.hopper');
});

test('what a schema says of a stored payload shows no hidden value, however long, also where the whole payload is meant', () => {
  const Noted = defineEvent({
    type: 'shop.note.written.v1',
    key: 'id',
    schema: z.object({ id: z.string(), note: z.string().max(5) }).refine(() => false, 'never'),
    sensitivity: { note: 'personal' },
  });
  const row = {
    ...stored,
    type: 'shop.note.written.v1',
    data: `{"id":"1","note":"${'private '.repeat(30)}"}`,
  };
  const open = (): unknown => new ContractSet([Noted]).open(row);
  expect(open).toThrow('(personal)');
  expect(open).not.toThrow('private');
});
