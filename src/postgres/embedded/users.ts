import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { giveToOwnerOf } from './account.ts';
import { markLives, processMark } from './process-facts.ts';
import { type StateDirectory, writeStateFile } from './state-directory.ts';

const folderOf = (state: StateDirectory): string => path.join(state.path, 'users');

let sequence = 0;

/**
 * Notes that this process uses the server, so that no other one stops it under us: `npm start` and
 * `npx factline status` in a second terminal share one server. Call both functions while holding the lock.
 */
export const join = (state: StateDirectory): string => {
  if (!existsSync(folderOf(state))) {
    mkdirSync(folderOf(state));
    giveToOwnerOf(state.path, folderOf(state));
  }
  sequence += 1;
  return writeStateFile(state, path.join('users', `${process.pid}-${sequence}`), processMark());
};

/** Takes our note back; true when no living process uses the server any more. */
export const leave = (state: StateDirectory, note: string): boolean => {
  rmSync(note, { force: true });
  let others = 0;
  for (const name of readdirSync(folderOf(state))) {
    const file = path.join(folderOf(state), name);
    if (markLives(readFileSync(file, 'utf8'))) others += 1;
    else rmSync(file, { force: true });
  }
  return others === 0;
};
