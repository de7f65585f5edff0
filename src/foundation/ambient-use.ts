import { AsyncLocalStorage } from 'node:async_hooks';
import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A use of the process's own clock, chance, timers or network by code that should not depend on them. */
export interface AmbientUse {
  /** As the code writes it: `Date.now()`. */
  readonly what: string;
  /** `file:line:column` of the call. */
  readonly where: string;
}

/** Watches what is run through it, until it is closed. */
export interface AmbientWatch {
  run<T>(work: () => T): T;
  close(): void;
}

const watched = new AsyncLocalStorage<(use: AmbientUse) => void>();
const ownFolder = fileURLToPath(new URL('..', import.meta.url));
const ownFile = fileURLToPath(import.meta.url);

/** Null: called by Factline, a package or Node itself, such as a logger's time stamp. */
const callerOf = (): string | null => {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here);
  const frames = (here.stack ?? '').split('\n').slice(1);
  const frame = frames.find((line) => !line.includes(ownFile));
  const place = /\(?((?:file:\/\/)?\/[^()]+:\d+:\d+|[A-Za-z]:\\[^()]+:\d+:\d+)\)?$/.exec(frame ?? '')?.[1];
  if (place === undefined || place.includes('/node_modules/')) return null;
  const where = place.startsWith('file:') ? fileURLToPath(place) : place;
  return where.startsWith(ownFolder) ? null : where;
};

const tell = (what: string): void => {
  const note = watched.getStore();
  if (note === undefined) return;
  const where = callerOf();
  if (where !== null) note({ what, where });
};

const told = <Work extends (...given: never[]) => unknown>(what: string, work: Work, self: unknown): Work =>
  ((...given: never[]) => {
    tell(what);
    return work.apply(self, given);
  }) as Work;

const watchedDate = (date: DateConstructor): DateConstructor => {
  const now = told('Date.now()', date.now, date);
  return new Proxy(date, {
    construct: (target, given: [], made) => {
      if (given.length === 0) tell('new Date()');
      return Reflect.construct(target, given, made) as Date;
    },
    apply: (target) => {
      tell('Date()');
      return target();
    },
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
};

type Restore = () => void;

const replace = <Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  made: (present: Owner[Name]) => Owner[Name],
): Restore => {
  const present = owner[name];
  owner[name] = made(present);
  return () => {
    owner[name] = present;
  };
};

/** Functions of a module of Node; who imported them by name gets the replaced ones as well (syncBuiltinESMExports). */
const replaceImported = <Module extends object>(
  module: Module,
  of: string,
  names: readonly (keyof Module & string)[],
): Restore[] =>
  names.map((name) =>
    replace(module, name, (present) => {
      const work = present as (...given: never[]) => unknown;
      return Object.assign(told(`${name}() of ${of}`, work, module), work) as Module[typeof name];
    }),
  );

let restore: Restore[] = [];
let open = 0;

const install = (): void => {
  restore = [
    replace(globalThis, 'Date', watchedDate),
    replace(Math, 'random', (random) => told('Math.random()', random, Math)),
    replace(globalThis, 'fetch', (present) => told('fetch()', present, globalThis)),
    replace(globalThis, 'setTimeout', (present) =>
      Object.assign(told('setTimeout()', present, globalThis), present),
    ),
    replace(globalThis, 'setInterval', (present) => told('setInterval()', present, globalThis)),
    replace(performance, 'now', (now) => told('performance.now()', now, performance)),
    replace(crypto, 'randomUUID', (random) => told('crypto.randomUUID()', random, crypto)),
    replace(crypto, 'getRandomValues', (random) => told('crypto.getRandomValues()', random, crypto)),
    ...replaceImported(nodeCrypto, 'node:crypto', [
      'randomUUID',
      'randomBytes',
      'randomInt',
      'randomFill',
      'randomFillSync',
    ]),
    ...replaceImported(timers, 'node:timers', ['setTimeout', 'setInterval', 'setImmediate']),
    ...replaceImported(timersPromises, 'node:timers/promises', ['setTimeout', 'setInterval', 'setImmediate']),
  ];
  syncBuiltinESMExports();
};

/**
 * Tells of every use of the global clock, chance, timers and network by what is run through the watch, also after it has
 * awaited something; and of chance and timers that are imported from `node:crypto`, `node:timers` and `node:timers/promises`. What
 * a module took out of these before (`const { randomInt } = crypto`) is not seen. For tools: it replaces them until it is closed.
 * @example const watch = watchAmbientUse((use) => uses.push(use)); watch.run(() => work()); …; watch.close()
 */
export const watchAmbientUse = (note: (use: AmbientUse) => void): AmbientWatch => {
  if (open === 0) install();
  open += 1;
  let closed = false;
  return {
    run: (work) => watched.run(note, work),
    close: () => {
      if (closed) return;
      closed = true;
      open -= 1;
      if (open > 0) return;
      for (const each of restore) each();
      restore = [];
      syncBuiltinESMExports();
    },
  };
};
