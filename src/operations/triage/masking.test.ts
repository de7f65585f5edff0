import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hiddenLevel, masked } from './masking.ts';

const shown = (payload: unknown, sensitivity: Record<string, string> | null): unknown =>
  JSON.parse(JSON.stringify(masked(payload, { sensitivity })));

describe('a payload that is shown', () => {
  it('hides what the contract calls sensitive, with everything below it and in every item of a list', () => {
    const payload = {
      orderId: 'A1',
      customer: { email: 'ada@x.org', name: 'Ada', address: { city: 'London' } },
      lines: [{ note: 'for Bob', sku: 'S1' }, { sku: 'S2' }, { note: null }],
    };
    const sensitivity = {
      'customer.email': 'personal',
      'customer.address': 'secret',
      'lines.note': 'personal',
    };
    expect(shown(payload, sensitivity)).toEqual({
      orderId: 'A1',
      customer: { email: '(personal)', name: 'Ada', address: '(secret)' },
      lines: [{ note: '(personal)', sku: 'S1' }, { sku: 'S2' }, { note: null }],
    });
  });

  it('is hidden whole where no contract is known', () => {
    expect(shown({ orderId: 'A1' }, null)).toBe('(no contract known)');
  });

  it('is shown as it is where nothing is sensitive, also with odd names', () => {
    const odd = JSON.parse('{"__proto__":{"a":1},"constructor":"x","customer.email":"not the path"}');
    expect(shown(odd, {})).toEqual(odd);
    expect(Object.hasOwn(masked(odd, { sensitivity: {} }) as object, '__proto__')).toBe(true);
  });

  it('does not take a longer name for the declared one', () => {
    expect(hiddenLevel({ sensitivity: { customer: 'personal' } }, 'customers')).toBeUndefined();
    expect(hiddenLevel({ sensitivity: { customer: 'personal' } }, 'customer.email')).toBe('personal');
  });

  it('never lets a secret through, wherever it stands below the path', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (junk) => {
        const payload = { open: 1, hidden: [junk, { deep: ['SECRET', junk] }] };
        expect(JSON.stringify(masked(payload, { sensitivity: { hidden: 'secret' } }))).not.toContain(
          'SECRET',
        );
        expect(JSON.stringify(masked(payload, { sensitivity: { 'hidden.deep': 'secret' } }))).not.toContain(
          'SECRET',
        );
      }),
    );
  });
});
