import { describe, expect, it } from 'vitest';
import { FactlineError } from '../../foundation/index.ts';
import { type Actor, assertMay, engineActor } from './actor.ts';
import { type ActName, acts, type Role, roles } from './acts.ts';
import { checkRoles } from './roles.ts';

const actor = (...given: Role[]): Actor => ({ name: 'ada', via: 'cli', roles: new Set(given) });
const every = Object.keys(acts) as ActName[];

describe('who may do what', () => {
  it('an actor without any role may do nothing, and a viewer may change nothing', () => {
    for (const act of every) {
      expect(() => assertMay(actor(), act)).toThrow(FactlineError);
      expect(() => assertMay(actor('viewer'), act)).toThrow(FactlineError);
    }
  });

  it('every act has somebody who may do it, and an admin may do all but nothing needs all roles', () => {
    for (const act of every) expect(acts[act].every((role) => roles.includes(role))).toBe(true);
    for (const act of every) {
      if (act !== 'replay.break-glass') expect(() => assertMay(actor('admin'), act)).not.toThrow();
    }
  });

  it('an operator does not approve, an approver does not run', () => {
    expect(() => assertMay(actor('operator'), 'replay.approve')).toThrow(
      'it takes the role approver or admin',
    );
    expect(() => assertMay(actor('approver'), 'replay.run')).toThrow('ada has approver');
  });

  it('the engine may do what it decides by itself', () => {
    expect(() => assertMay(engineActor('shop'), 'roles.change')).not.toThrow();
  });
});

describe('the option roles', () => {
  it('is taken as it is declared', () => {
    expect(checkRoles({ ada: ['operator'], '*': [] })).toEqual({ ada: ['operator'], '*': [] });
  });

  it.each([
    [null, 'roles'],
    [['ada'], 'roles'],
    [{ ada: 'operator' }, 'roles.ada'],
    [{ ada: ['root'] }, 'roles.ada'],
    [{ ' ': ['operator'] }, 'roles'],
  ])('%j is refused with its place', (declared, place) => {
    expect(() => checkRoles(declared)).toThrow(`The option ${place} is not valid`);
  });
});
