import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Who the app is when `createFactline` does not say it: the nearest package.json above the working folder. */
export interface AppIdentity {
  readonly name: string;
  readonly version: string;
}

const unnamed: AppIdentity = { name: 'app', version: '0.0.0' };

export const readAppIdentity = (from: string = process.cwd()): AppIdentity => {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (existsSync(file)) return parse(readFileSync(file, 'utf8'));
    if (folder === path.dirname(folder)) return unnamed;
  }
};

const parse = (text: string): AppIdentity => {
  try {
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
    return {
      name: typeof name === 'string' && name !== '' ? name : unnamed.name,
      version: typeof version === 'string' && version !== '' ? version : unnamed.version,
    };
  } catch {
    return unnamed;
  }
};
