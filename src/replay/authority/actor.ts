import { FactlineError } from '../../foundation/index.ts';
import { type ActName, acts, type Role, roles } from './acts.ts';

/** Who does something. */
export interface Actor {
  /** The identity that stays on record. */
  readonly name: string;
  readonly via: 'cli' | 'api' | 'engine';
  readonly roles: ReadonlySet<Role>;
  /** The account behind the name, such as `root@db-1`: a name can be claimed, an account less easily. */
  readonly account?: string;
}

/** Everybody has every role where nobody has declared any. */
export const everyRole: ReadonlySet<Role> = new Set(roles);

/** What Factline decides by itself. */
export const engineActor = (name: string): Actor => ({ name, via: 'engine', roles: everyRole });

/** @throws FactlineError FORBIDDEN with the roles of which one is needed. */
export const assertMay = (actor: Actor, act: ActName): void => {
  const needed: readonly Role[] = acts[act];
  if (needed.some((role) => actor.roles.has(role))) return;
  const has = [...actor.roles].join(', ') || 'none';
  throw new FactlineError('FORBIDDEN', { actor: actor.name, act, needed: needed.join(' or '), has });
};
