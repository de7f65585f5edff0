import { readFileSync } from 'node:fs';

/** The commands that stand below a heading, or a paragraph in bold, of a page in docs/; without the leading `factline`. */
export type CommandsOf = (title: string) => readonly string[];

export const readRunbooks = (page: string): { readonly text: string; readonly commandsOf: CommandsOf } => {
  const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8');
  const parts = text.split(/^(?=\*\*|#+ )/m);
  const commandsOf: CommandsOf = (title) => {
    const part = parts.find(
      (each) => each.startsWith(`**${title}**`) || /^#+ (.*)$/m.exec(each)?.[1] === title,
    );
    return [...(part ?? '').matchAll(/^```sh\n([\s\S]*?)^```/gm)]
      .flatMap(([, block = '']) => block.trim().split('\n'))
      .map((line) => line.replace(/^(?:npx )?factline /, ''));
  };
  return { text, commandsOf };
};
