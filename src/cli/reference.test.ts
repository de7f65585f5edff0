import { describe, expect, it } from 'vitest';
import { commandName } from './command.ts';
import { commands } from './commands/index.ts';
import { renderCommandHelp, renderGroupHelp } from './help.ts';
import { renderReference } from './reference.ts';
import { styleOf, textWidth } from './style.ts';

const style = styleOf(false);

describe('the reference', () => {
  it('in docs/cli.md is what the commands declare', async () => {
    await expect(renderReference(commands)).toMatchFileSnapshot('../../docs/cli.md');
  });
});

describe('help', () => {
  it.each(commands.map((command) => [commandName(command), command] as const))(
    'of %s has examples that name it, and fits',
    (name, command) => {
      expect(command.examples.length).toBeGreaterThan(0);
      for (const { line } of command.examples) expect(line).toMatch(new RegExp(`^factline ${name}`));
      for (const width of [40, 80, 200]) {
        const lines = renderCommandHelp(command, { width, style });
        expect(lines[0]).toContain(`factline ${name}`);
        // A single word may be longer than half of a narrow screen; nothing else sticks out.
        for (const line of lines.slice(1))
          if (width >= 80) expect(textWidth(line), line).toBeLessThanOrEqual(Math.min(width, 130));
      }
    },
  );

  it('lists every command, and the commands of one group', () => {
    const all = renderGroupHelp(commands, [], { width: 100, style }).join('\n');
    for (const command of commands) expect(all).toContain(commandName(command));
    const group = renderGroupHelp(commands, ['quarantine'], { width: 100, style }).join('\n');
    expect(group).toContain('quarantine discard');
    expect(group).not.toContain('doctor');
  });
});
