import { importsOf } from '../imports.ts';
import { isShipped } from '../rooms.ts';
import type { Rule, Violation } from '../rule.ts';
import type { SourceFile } from '../syntax.ts';

type Graph = ReadonlyMap<string, readonly string[]>;

const graphOf = (files: readonly SourceFile[]): Graph =>
  new Map(
    files.map((file) => [file.path, importsOf(file).flatMap(({ target }) => (target ? [target] : []))]),
  );

/** Depth-first: an edge back to a file that is still open closes a circle. Each circle is reported once. */
const circlesOf = (graph: Graph): string[][] => {
  const circles: string[][] = [];
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (path: string): void => {
    const at = open.indexOf(path);
    if (at >= 0) circles.push([...open.slice(at), path]);
    if (at >= 0 || done.has(path)) return;
    open.push(path);
    for (const target of graph.get(path) ?? []) visit(target);
    open.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return circles;
};

export const noCircles: Rule = {
  law: 'no file imports itself in a circle, types counted',
  check: (files): Violation[] =>
    circlesOf(graphOf(files.filter(({ path }) => isShipped(path)))).map((circle) => ({
      path: circle[0] ?? '',
      line: 0,
      message: `circle: ${circle.join(' → ')}; move what both need into a file of its own`,
    })),
};
