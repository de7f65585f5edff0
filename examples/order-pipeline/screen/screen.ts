import { drawFrame, type Picture, workflowText } from './frame.ts';
import { colourWanted, counted, type Line, paint } from './style.ts';

/** Where the run tells what it does. */
export interface Screen {
  /** A line that stays. */
  say(line: Line | string): void;
  /** Shows the picture: redrawn in place on a terminal, now and then a plain line elsewhere. */
  show(picture: Picture): void;
  /** Leaves what is shown and ends; lines may still be said. */
  settle(): void;
}

const PLAIN_EVERY_SECONDS = 5;

export function openScreen(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY === true ? terminalScreen(stream) : plainScreen(stream);
}

function terminalScreen(stream: NodeJS.WriteStream): Screen {
  const colour = colourWanted(stream);
  let drawn = 0;
  const wipe = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  return {
    say: (line) => {
      wipe();
      stream.write(`${paintFor(stream, line, colour)}\n`);
    },
    show: (picture) => {
      // Never taller than the terminal: what scrolls out cannot be redrawn in place.
      const lines = drawFrame(picture).slice(0, Math.max(1, (stream.rows || 24) - 1));
      const text = lines.map((line) => `${paintFor(stream, line, colour)}\u001b[K\n`).join('');
      stream.write(`\u001b[?25l${drawn > 0 ? `\u001b[${drawn}A` : ''}${text}\u001b[0J\u001b[?25h`);
      drawn = lines.length;
    },
    settle: () => {
      drawn = 0;
      stream.write('\n');
    },
  };
}

function plainScreen(stream: NodeJS.WriteStream): Screen {
  let shownAt = Number.NEGATIVE_INFINITY;
  const killsShown = new Set<number>();
  let kills: Picture['kills'] = [];
  /** Each once: when its lanes have moved, or at the end as it stands. */
  const showKills = (atEnd: boolean): void => {
    for (const [index, { text, over }] of kills.entries()) {
      if (killsShown.has(index) || !(over || atEnd)) continue;
      killsShown.add(index);
      stream.write(`${text}\n`);
    }
  };
  return {
    say: (line) => void stream.write(`${paint(toLine(line), Number.POSITIVE_INFINITY, false)}\n`),
    show: (picture) => {
      kills = picture.kills;
      showKills(false);
      if (picture.elapsedSeconds - shownAt < PLAIN_EVERY_SECONDS) return;
      shownAt = picture.elapsedSeconds;
      stream.write(`${plainLine(picture)}\n`);
    },
    settle: () => showKills(true),
  };
}

function plainLine({ elapsedSeconds, phase, feed, verdicts, workflows, sentences }: Picture): string {
  const worst = verdicts.find(({ verdict }) => verdict !== 'OK');
  const lag = Math.max(0, ...verdicts.map(({ lagSeconds }) => lagSeconds ?? 0));
  const quarantined = verdicts.reduce((sum, verdict) => sum + (verdict.quarantined?.keys ?? 0), 0);
  const said = sentences.at(-1);
  return [
    `${elapsedSeconds.toFixed(0).padStart(4)} s`,
    phase,
    `${counted(feed.input.invoices, 'invoice')}, ${counted(feed.ordersAccepted, 'order')} accepted`,
    `lag ${lag.toFixed(1)} s`,
    `${counted(quarantined, 'key')} in quarantine`,
    worst === undefined ? 'all OK' : `${worst.consumer} ${worst.verdict}`,
    ...(workflows.size === 0 ? [] : [`workflows: ${workflowText(workflows)}`]),
    ...(said === undefined ? [] : [said]),
  ].join(' · ');
}

function paintFor(stream: NodeJS.WriteStream, line: Line | string, colour: boolean): string {
  return paint(toLine(line), Math.max(20, (stream.columns || 80) - 1), colour);
}

function toLine(line: Line | string): Line {
  return typeof line === 'string' ? [{ text: line }] : line;
}
