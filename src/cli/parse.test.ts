import { describe, expect, it } from 'vitest';
import type { Command } from './command.ts';
import { commands } from './commands/index.ts';
import { duration, parse, route, wholeNumber } from './parse.ts';
import { suggestion } from './suggest.ts';

const command: Command = {
  path: ['quarantine', 'retry'],
  summary: 's',
  arguments: [{ name: 'ID', help: '', required: true, many: true }],
  options: [
    { name: 'reason', value: 'TEXT', help: '' },
    { name: 'limit', value: 'N', help: '' },
    { name: 'wait', negated: true, help: '' },
    { name: 'follow', short: 'f', help: '' },
  ],
  examples: [],
  json: [],
  run: async () => undefined,
};
const one: Command = { ...command, arguments: [{ name: 'ID', help: '', required: true }] };

describe('the words of a command line', () => {
  it('become options and arguments in any order', () => {
    const given = parse(command, ['7', '--reason', 'a b', '8', '-f', '--no-wait', '--json']);
    expect(given.arguments).toEqual(['7', '8']);
    expect(given.text('reason')).toBe('a b');
    expect([given.has('follow'), given.has('no-wait'), given.has('json'), given.has('help')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it.each([
    [['7', '--resaon', 'x'], 'OPTION_UNKNOWN', 'Did you mean "--reason"?'],
    [['7', '-x'], 'OPTION_UNKNOWN', '-x'],
    [['7', '--reason'], 'OPTION_INVALID', 'expected a value: --reason TEXT'],
    [
      ['7', '--reason', '-1'],
      'OPTION_INVALID',
      'got -1, which looks like an option; if it is meant: --reason=-1',
    ],
    [['7', '--follow=yes'], 'OPTION_INVALID', 'expected no value'],
    [[], 'ARGUMENT_MISSING', 'needs ID'],
  ] as const)('%j is refused with %s', (words, code, text) => {
    expect(() => parse(command, words)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text), exitCode: 2 }),
    );
  });

  it('take no more arguments than the command has', () => {
    expect(() => parse(one, ['7', '8'])).toThrow(expect.objectContaining({ code: 'ARGUMENT_UNEXPECTED' }));
  });

  it('need nothing else when help is asked for', () => {
    expect(parse(one, ['--help']).has('help')).toBe(true);
  });

  it('give numbers and durations within their limits', () => {
    const limits = { min: 1, max: 10, fallback: 5 };
    expect(wholeNumber(parse(command, ['7', '--limit', '3']), 'limit', limits)).toBe(3);
    expect(wholeNumber(parse(command, ['7']), 'limit', limits)).toBe(5);
    for (const wrong of ['0', '11', '-1', '3.5', 'x', '1e1', '']) {
      expect(() => wholeNumber(parse(command, ['7', `--limit=${wrong}`]), 'limit', limits)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    }
    expect(duration(parse(command, ['7', '--reason', '2s']), 'reason', '1s')).toBe(2_000);
    expect(() => duration(parse(command, ['7', '--reason', 'soon']), 'reason', '1s')).toThrow();
  });
});

describe('the way to a command', () => {
  it('leads over its words to what follows', () => {
    expect(route(commands, ['quarantine', 'retry', '7', '--json'])).toMatchObject({
      kind: 'command',
      rest: ['7', '--json'],
    });
    expect(route(commands, ['status', 'quarantine'])).toMatchObject({
      kind: 'command',
      rest: ['quarantine'],
    });
    expect(route(commands, ['quarantine', '--help'])).toEqual({ kind: 'group', path: ['quarantine'] });
  });

  it.each([
    ['statsu', 'status'],
    ['quarantine retyr', 'retry'],
    ['evnets', 'events'],
    ['quar', 'quarantine'],
  ])('%s suggests %s', (words, near) => {
    expect(() => route(commands, words.split(' '))).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`Did you mean "${near}"?`) }),
    );
  });

  it('suggests nothing far-fetched', () => {
    expect(suggestion('frobnicate', ['status', 'doctor'])).toBe('');
  });
});
