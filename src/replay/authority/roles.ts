import type pg from 'pg';
import { canonicalJson, FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type Actor, engineActor, everyRole } from './actor.ts';
import { type Role, roles } from './acts.ts';
import { perform } from './perform.ts';

const sql = loadQueries<'read_roles' | 'remove_roles' | 'insert_roles'>(
  new URL('./roles.sql', import.meta.url),
);

/** Names with their roles; the name `*` stands for everybody. A name that is not in it may only look. */
export type DeclaredRoles = Readonly<Record<string, readonly Role[]>>;

/** @throws FactlineError OPTION_INVALID */
export const checkRoles = (declared: unknown): DeclaredRoles => {
  if (typeof declared !== 'object' || declared === null || Array.isArray(declared))
    throw invalid('roles', "names with lists of roles: { ada: ['operator'] }", typeof declared);
  for (const [name, given] of Object.entries(declared)) {
    if (name.trim() === '') throw invalid('roles', 'names that are not empty', "''");
    const known = Array.isArray(given) && given.every((role) => roles.includes(role as Role));
    if (!known) throw invalid(`roles.${name}`, `a list of ${roles.join(', ')}`, JSON.stringify(given));
  }
  return declared as DeclaredRoles;
};

const invalid = (option: string, expected: string, actual: string): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });

/** What one app has declared: names in order, each with its roles in order. */
const canonical = (declared: DeclaredRoles): readonly { name: string; roles: readonly Role[] }[] =>
  Object.keys(declared)
    .sort()
    .map((name) => ({ name, roles: [...new Set(declared[name])].sort() }));

const storedRoles = async (on: Queryable): Promise<ReadonlyMap<string, DeclaredRoles>> => {
  const rows = await run(on, sql.read_roles);
  const byApp = new Map<string, Record<string, readonly Role[]>>();
  for (const row of rows) {
    const app = String(row['app']);
    const declared = byApp.get(app) ?? {};
    declared[String(row['name'])] = row['roles'] as Role[];
    byApp.set(app, declared);
  }
  return byApp;
};

/**
 * Stores what the app declares, so that commands which know only the database are bound by it too. A change is on record.
 * An app that declares nothing changes nothing: a rolled-back deploy must not open the doors.
 */
export const storeRoles = async (
  pool: pg.Pool,
  app: string,
  declared: DeclaredRoles | undefined,
): Promise<void> => {
  if (declared === undefined) return;
  const wanted = canonical(declared);
  const isStored = async (on: Queryable): Promise<boolean> => {
    const stored = (await storedRoles(on)).get(app);
    return stored !== undefined && canonicalJson(canonical(stored)) === canonicalJson(wanted);
  };
  if (await isStored(pool)) return;
  const act = {
    actor: engineActor(app),
    act: 'roles.change',
    target: `app ${app}`,
    details: { roles: wanted },
  } as const;
  await perform(pool, act, async (client) => {
    await run(client, sql.remove_roles, [app]);
    await run(client, sql.insert_roles, [app, JSON.stringify(wanted)]);
  });
};

/** The actor with the roles that the apps of this database give this name. Once any are declared, a stranger may only look. */
export const actorWithRoles = async (
  on: Queryable,
  identity: Pick<Actor, 'name' | 'via' | 'account'>,
): Promise<Actor> => {
  const all = [...(await storedRoles(on)).values()];
  return { ...identity, roles: all.length === 0 ? everyRole : rolesOf(identity.name, all) };
};

const rolesOf = (name: string, all: readonly DeclaredRoles[]): ReadonlySet<Role> => {
  const own = all.flatMap((declared) =>
    [name, '*'].flatMap((each) => (Object.hasOwn(declared, each) ? (declared[each] ?? []) : [])),
  );
  return new Set<Role>(['viewer', ...own]);
};
