import { importsOf } from '../imports.ts';
import { frontDoor, isShipped, isTest, publicModuleOf, rankOf, roomOf, rooms } from '../rooms.ts';
import { eachFile, type Rule } from '../rule.ts';

const order = rooms.filter((room) => room !== 'testing').join(' < ');

const upward = (from: string, to: string): string | undefined => {
  if (from === to) return undefined;
  if (to === 'testing') return 'nothing imports the room testing: it is for tests only';
  if (rankOf(from) > rankOf(to)) return undefined;
  return `the room ${from} may not know ${to} (${order}): move the code down, or pass it in from above`;
};

export const importsGoDown: Rule = eachFile(
  'a room imports only rooms below it, types counted',
  isShipped,
  (file) => {
    const from = roomOf(file.path);
    if (from === undefined) return [];
    if (rankOf(from) < 0)
      return [{ line: 0, message: `src/${from} is no room; rooms are: ${rooms.join(', ')}` }];
    return importsOf(file).flatMap(({ target, line }) => {
      if (target === undefined) return [];
      if (target === frontDoor)
        return [{ line, message: 'nothing inside imports the front door src/index.ts' }];
      const to = roomOf(target);
      const message = to === undefined ? 'shipped code imports only from src/' : upward(from, to);
      return message ? [{ line, message }] : [];
    });
  },
);

export const noDeepImports: Rule = eachFile(
  "a room is reached through its index.ts only, and examples and tools through the package's exports",
  (path) => isShipped(path) || (/^(examples|tools|bench)\//.test(path) && path.endsWith('.ts')),
  (file) => {
    const outside = roomOf(file.path) === undefined && file.path !== frontDoor;
    return importsOf(file).flatMap(({ target, line, specifier }) => {
      if (target === undefined || !target.startsWith('src/')) return [];
      if (outside && !isTest(file.path))
        return [{ line, message: `import from 'factline', not ${specifier}` }];
      const to = roomOf(target);
      if (outside || to === undefined || to === roomOf(file.path) || target === publicModuleOf(to)) return [];
      return [{ line, message: `import from ${publicModuleOf(to)}, not past it (${specifier})` }];
    });
  },
);

export const noSelfReference: Rule = eachFile(
  'inside src/ the package is not imported by its own name',
  isShipped,
  (file) =>
    importsOf(file)
      .filter(({ specifier }) => specifier === 'factline' || specifier.startsWith('factline/'))
      .map(({ line, specifier }) => ({
        line,
        message: `${specifier} is a user's import; use a relative one`,
      })),
);

/** A driver's folder: `src/brokers/<driver>/`. */
const driverOf = (path: string): string | undefined => /^src\/brokers\/([^/]+)\//.exec(path)?.[1];

export const driversBehindTheSeam: Rule = eachFile(
  "a broker's driver is reached only through the seam",
  isShipped,
  (file) =>
    importsOf(file).flatMap(({ target, line }) => {
      const driver = target === undefined ? undefined : driverOf(target);
      if (driver === undefined || driver === driverOf(file.path)) return [];
      return [
        {
          line,
          message: `the driver ${driver} is imported past the seam: take the seam's interface instead`,
        },
      ];
    }),
);
