import { describe, expect, it } from 'vitest';
import { contractSchemas } from '../../contracts/index.ts';
import { systemEvents } from './contracts.ts';

describe('the contracts of system events', () => {
  it('are of the kind system, keyed by the consumer, and can be locked and shown as JSON Schema', () => {
    for (const contract of Object.values(systemEvents)) {
      expect([contract.kind, contract.owner, contract.key]).toEqual(['system', 'factline', ['consumer']]);
      expect(contract.type).toMatch(/^factline\.[a-z]+\.[a-z]+\.v1$/);
    }
    const { encodings } = contractSchemas(systemEvents.replayFinished);
    expect(encodings[0]).toMatchObject({
      format: 'json-schema',
      output: {
        type: 'object',
        properties: { replay: { type: 'number' }, consumer: { type: 'string' } },
        required: ['replay', 'consumer', 'state', 'at'],
      },
    });
  });

  it('take null where something may be missing, and refuse what is not there', () => {
    const pause = { consumer: 'payment', part: null, reason: 'tea', by: 'ada', until: null, at: 'now' };
    expect(systemEvents.consumerPaused(pause).data).toEqual(pause);
    expect(() => systemEvents.consumerPaused({ ...pause, at: undefined } as never)).toThrow(/at/);
    expect(() => systemEvents.consumerPaused({ ...pause, consumer: null } as never)).toThrow(/consumer/);
  });
});
