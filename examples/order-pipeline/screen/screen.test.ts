import type { Verdict } from 'factline';
import { describe, expect, it } from 'vitest';
import { newProgress } from '../feeder/feed.ts';
import { drawFrame, type Picture } from './frame.ts';
import { openScreen } from './screen.ts';
import { paint, sparkline } from './style.ts';

const verdict = (consumer: string, keys = 0): Verdict =>
  ({
    consumer,
    class: 'operational',
    verdict: 'OK',
    reasons: [],
    lagSeconds: 0.4,
    quarantined: { keys, events: keys, waiting: 2, oldestSeconds: 1 },
  }) as unknown as Verdict;

const picture = (change: Partial<Picture> = {}): Picture => ({
  elapsedSeconds: 42,
  phase: 'feeding',
  feed: newProgress(),
  ordersPerSecond: [0, 1, 2],
  verdicts: [verdict('payment', 1), verdict('shipping')],
  handled: new Map([['payment', 12]]),
  workflows: new Map(),
  sentences: [
    'Order 536365 was shipped as GB-536365 with a very long explanation that no terminal could ever show',
  ],
  kills: [],
  apiUrl: 'http://127.0.0.1:4000',
  ...change,
});

class Terminal {
  readonly isTTY: boolean;
  readonly columns = 60;
  readonly rows = 20;
  written = '';
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string): boolean {
    this.written += text;
    return true;
  }
}

const streamOf = (terminal: Terminal): NodeJS.WriteStream => terminal as unknown as NodeJS.WriteStream;

describe('the screen', () => {
  it('stands still: it is as high with events as without', () => {
    expect(drawFrame(picture())).toHaveLength(drawFrame(picture({ sentences: [] })).length);
  });

  it('fits the terminal, colours not counted', () => {
    const long = [{ text: 'x'.repeat(50), tone: 'red' }, { text: 'y'.repeat(50) }] as const;
    expect(paint(long, 60, false)).toHaveLength(60);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with one
    expect(paint(long, 60, true).replace(/\u001b\[\d+m/g, '')).toBe(paint(long, 60, false));
  });

  it('is redrawn in place on a terminal', () => {
    const terminal = new Terminal(true);
    const screen = openScreen(streamOf(terminal));
    screen.show(picture());
    const height = drawFrame(picture()).length;
    screen.show(picture());
    expect(terminal.written).toContain(`\u001b[${height}A`);
  });

  it('is plain lines elsewhere, one every five seconds', () => {
    const terminal = new Terminal(false);
    const screen = openScreen(streamOf(terminal));
    for (const elapsedSeconds of [0, 1, 2, 5.5, 6]) screen.show(picture({ elapsedSeconds }));
    expect(terminal.written.trim().split('\n')).toHaveLength(2);
    expect(terminal.written).not.toContain('\u001b');
    expect(terminal.written).toContain('1 key in quarantine · all OK');
  });

  it('counts the promises that are kept', () => {
    const late = { ...verdict('shipping'), verdict: 'LATE' } as Verdict;
    const text = drawFrame(picture({ verdicts: [verdict('payment'), late] }))
      .flat()
      .map((piece) => piece.text)
      .join('');
    expect(text).toContain('1 kept, 1 broken');
  });

  it('says how the workflows stand, where there are any', () => {
    const workflows = new Map([
      ['completed', 96],
      ['waiting', 41],
    ]);
    const lines = drawFrame(picture({ workflows })).map((line) => line.map(({ text }) => text).join(''));
    expect(lines).toContain('WORKFLOWS   41 waiting · 96 completed');
    expect(drawFrame(picture())).toHaveLength(lines.length - 1);
  });

  it('draws a sparkline', () => {
    expect(sparkline([0, 1, 2, 4])).toBe('▁▃▅█');
    expect(sparkline([])).toBe('');
  });

  it('tells of each kill once without a terminal: when its lanes have moved, or at the end', () => {
    const terminal = new Terminal(false);
    const screen = openScreen(streamOf(terminal));
    const moved = { text: 'worker 1 → lanes moved', over: true };
    const moving = { text: 'worker 2 → lanes are moving', over: false };
    screen.show(picture({ kills: [moved, moving] }));
    screen.show(picture({ kills: [moved, moving] }));
    screen.settle();
    screen.settle();
    const kills = terminal.written.split('\n').filter((line) => line.startsWith('worker'));
    expect(kills).toEqual([moved.text, moving.text]);
  });
});
