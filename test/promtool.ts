import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const tools = path.resolve(import.meta.dirname, '../.factline/tools/prometheus');

export interface Prometheus {
  readonly promtool: string;
  readonly server: string;
}

const inFolder = (folder: string): Prometheus | null => {
  const promtool = path.join(folder, 'promtool');
  return existsSync(promtool) ? { promtool, server: path.join(folder, 'prometheus') } : null;
};

/** Debian's package, unpacked without being installed: promtool and prometheus are two programs that need nothing. */
const download = async (): Promise<Prometheus | null> => {
  mkdirSync(tools, { recursive: true });
  const folder = mkdtempSync(path.join(tools, 'download-'));
  try {
    await run('apt-get', ['download', 'prometheus'], { cwd: folder, timeout: 60_000 });
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    if (file === undefined) return null;
    await run('dpkg', ['-x', file, 'unpacked'], { cwd: folder, timeout: 60_000 });
    const unpacked = path.join(folder, 'unpacked/usr/bin');
    if (inFolder(unpacked) === null) return null;
    rmSync(path.join(tools, 'bin'), { recursive: true, force: true });
    renameSync(unpacked, path.join(tools, 'bin'));
    return inFolder(path.join(tools, 'bin'));
  } catch {
    // No Debian, or no network.
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** The machine's Prometheus, or Debian's package, kept in .factline/tools; null where there is neither. */
export const findPrometheus = async (): Promise<Prometheus | null> => {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), path.join(tools, 'bin')];
  for (const folder of folders) {
    const found = folder === '' ? null : inFolder(folder);
    if (found !== null) return found;
  }
  return download();
};
