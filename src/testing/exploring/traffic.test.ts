import { describe, expect, it } from 'vitest';
import { Traffic } from './traffic.ts';

const message = (type: string, body = ''): Buffer => {
  const header = Buffer.from(`${type}\0\0\0\0`);
  header.writeUInt32BE(Buffer.byteLength(body) + 4, 1);
  return Buffer.concat([header, Buffer.from(body)]);
};
const parse = (name: string, text: string): Buffer => message('P', `${name}\0${text}\0\0\0`);
const sync = message('S');
const prepared = message('1');
const ready = (status = 'I'): Buffer => message('Z', status);
const texts = (messages: readonly Buffer[]): string[] => messages.map((each) => each.toString());

describe('the traffic of a session', () => {
  it('is busy from a query to its answer, however the answer is cut', () => {
    const traffic = new Traffic();
    expect(traffic.busy).toBe(false);
    traffic.send(message('Q', 'select 1\0'));
    const answer = Buffer.concat([message('C', 'SELECT 1\0'), ready('T')]);
    for (const byte of answer) {
      expect(traffic.busy).toBe(true);
      traffic.receive(Buffer.from([byte]));
    }
    expect(traffic).toMatchObject({ busy: false, inTransaction: true });
    traffic.send(message('Q', 'commit\0'));
    traffic.receive(ready());
    expect(traffic).toMatchObject({ busy: false, inTransaction: false });
  });

  it('is busy when the server has heard the beginning of a query, or has told the beginning of a notification', () => {
    const traffic = new Traffic();
    traffic.send(parse('', 'select 1'));
    expect(traffic.busy).toBe(true);
    traffic.send(sync);
    traffic.receive(Buffer.concat([prepared, ready()]));
    expect(traffic.busy).toBe(false);
    traffic.receive(message('A', 'channel').subarray(0, 7));
    expect(traffic.busy).toBe(true);
  });

  it('prepares a statement once, again where its text is another one, where it was refused, and where it may be gone', () => {
    const traffic = new Traffic();
    const prepare = (text: string, answer = prepared): string[] => {
      const sent = traffic.send(Buffer.concat([parse('named', text), sync]));
      traffic.receive(Buffer.concat([answer, ready()]));
      return texts(sent);
    };
    const anew = (text: string): string[] => texts([message('C', 'Snamed\0'), parse('named', text), sync]);
    const known = texts([message('P', '\0\0\0\0'), sync]);
    expect(prepare('select 1', message('E', 'no such table\0'))).toEqual(anew('select 1'));
    expect(prepare('select 1')).toEqual(anew('select 1'));
    expect(prepare('select 1')).toEqual(known);
    expect(prepare('select 2')).toEqual(anew('select 2'));
    traffic.send(message('Q', 'DEALLOCATE named\0'));
    traffic.receive(ready());
    expect(prepare('select 2')).toEqual(anew('select 2'));
    expect(texts(traffic.send(parse('', 'select 1')))).toEqual(texts([parse('', 'select 1')]));
  });
});
