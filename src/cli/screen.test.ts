import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Screen } from './screen.ts';
import type { Terminal } from './terminal.ts';

const terminal = (interactive: boolean): { written: string[]; terminal: Terminal } => {
  const written: string[] = [];
  const facts = { width: 10, height: 5, interactive, colour: false, environment: {}, directory: '/' };
  const input = Readable.from([]);
  const drained = (): Promise<void> => Promise.resolve();
  const out = (text: string): void => void written.push(text);
  return { written, terminal: { ...facts, input, drained, out, err: () => {} } };
};

describe('a screen', () => {
  it('redraws its block in place, never taller or wider than the terminal', () => {
    const { written, terminal: tty } = terminal(true);
    const screen = new Screen(tty);
    screen.show(['one', 'two']);
    screen.show(['a very long line indeed', '2', '3', '4', '5']);
    screen.print('happened');
    expect(written).toEqual([
      '\r\u001b[0Jone\ntwo',
      '\u001b[2A\r\u001b[0Ja very lo…\n2\n3',
      '\u001b[3A\r\u001b[0Jhappened',
      'a very lo…\n2\n3',
    ]);
  });

  it('prints to a file only what has changed, without escape sequences', () => {
    const { written, terminal: file } = terminal(false);
    const screen = new Screen(file);
    screen.show(['one']);
    screen.show(['one']);
    screen.show(['a very long line indeed']);
    expect(written).toEqual(['one\n', 'a very long line indeed\n']);
  });
});
