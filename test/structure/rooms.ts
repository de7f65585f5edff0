/** The rooms of src/, each knowing only those before it. `testing` knows all, and nobody knows it. */
export const rooms = [
  'foundation',
  'contracts',
  'postgres',
  'log',
  'consumers',
  'brokers',
  'replay',
  'operations',
  'app',
  'server',
  'cli',
  'testing',
] as const;

export type Room = (typeof rooms)[number];

/** `src/index.ts` belongs to no room: it is the package's front door. */
export const frontDoor = 'src/index.ts';

const isSource = (path: string): boolean => path.startsWith('src/');

export const isTest = (path: string): boolean => path.endsWith('.test.ts');

/** Code that ships: what most rules are about. */
export const isShipped = (path: string): boolean => isSource(path) && !isTest(path) && path.endsWith('.ts');

/** The first folder below src/, whether or not it is a room. */
export const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];

export const rankOf = (room: string): number => rooms.indexOf(room as Room);

export const publicModuleOf = (room: string): string => `src/${room}/index.ts`;
