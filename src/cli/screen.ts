import { truncatePainted } from './style.ts';
import type { Terminal } from './terminal.ts';

const clearBelow = '\u001b[0J';
const up = (lines: number): string => (lines > 0 ? `\u001b[${lines}A\r` : '\r');

/**
 * A block of lines redrawn in place on a terminal. Without one it prints the block each time that it has changed, so that a
 * log file shows what happened and not a thousand equal pictures.
 */
export class Screen {
  readonly #terminal: Terminal;
  #drawn = 0;
  #last = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(lines: readonly string[]): void {
    const { interactive, height, width } = this.#terminal;
    // What has left the screen at its top can't be redrawn, and a line that the terminal wraps counts as two: a block is
    // never taller or wider than the screen.
    const shown = interactive
      ? lines.slice(0, Math.max(1, height - 2)).map((line) => truncatePainted(line, width))
      : lines;
    const text = shown.join('\n');
    if (interactive) this.#terminal.out(`${up(this.#drawn)}${clearBelow}${text}`);
    else if (text !== this.#last) this.#terminal.out(`${text}\n`);
    this.#drawn = shown.length;
    this.#last = text;
  }

  /** Lines that stay, above the block. */
  print(line: string): void {
    if (!this.#terminal.interactive) {
      this.#terminal.out(line);
      return;
    }
    this.#terminal.out(`${up(this.#drawn)}${clearBelow}${line}`);
    if (this.#last !== '') this.#terminal.out(this.#last);
  }

  /** What was drawn last stays as it is. */
  end(): void {
    this.#drawn = 0;
  }
}
