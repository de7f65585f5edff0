// Makes node_modules ready before `npm start` and `npm test`. Runs on the installed Node (20.20 and newer), so it is
// plain JavaScript without dependencies. When nothing is to be done it costs some 0.1 s and says nothing.
//
// 1. The stamp in node_modules says which lock file was installed; when it fits, done.
// 2. One set-up at a time: the lock holds the pids of the set-up and of its npm, since npm outlives a killed set-up.
// 3. npm ci, run by a Node outside node_modules: it deletes the one inside.
// 4. The stamp is written last, so a set-up killed half way starts over.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = path.join(root, 'node_modules', '.set-up');
const lockFile = path.join(root, '.factline', 'set-up.lock');
const windows = process.platform === 'win32';
const ownNode = path.join(root, 'node_modules', '.bin', windows ? 'node.cmd' : 'node');
const nodeMin = [22, 18];
const isStart = process.env.npm_lifecycle_event === 'prestart';

const say = (text) => process.stdout.write(`${text}\n`);

class SetUpFailure {
  /** One cause and one thing to do. */
  constructor(cause, remedy) {
    this.cause = cause;
    this.remedy = remedy;
  }
}

const wantedStamp = () =>
  createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

// ---- processes and the lock -------------------------------------------------------------------------------------

/** When the process started, as opaque text; undefined when no such process lives. A pid alone may be another's by now. */
const startedAt = (pid) => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return undefined;
  }
  if (process.platform === 'linux') {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return stat === '' || fields[0] === 'Z' ? undefined : fields[19];
  }
  if (windows) return '';
  const ps = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return ps.stdout?.trim() || undefined;
};

const mark = (pid) => `${pid} ${startedAt(pid) ?? ''}`;

const lives = (line) => {
  const [pid, ...started] = line.split(' ');
  return Number(pid) > 0 && startedAt(Number(pid)) === started.join(' ');
};

const anyLives = (marks) => marks.split('\n').some((line) => line !== '' && lives(line));

/** A link appears with its content or not at all. */
const tryToLock = () => {
  const aside = `${lockFile}.${process.pid}`;
  writeFileSync(aside, `${mark(process.pid)}\n`);
  try {
    linkSync(aside, lockFile);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(aside, { force: true });
  }
};

const removeStaleLock = () => {
  const holders = read(lockFile);
  if (holders === '' || anyLives(holders)) return;
  const aside = `${lockFile}.stale.${process.pid}`;
  try {
    renameSync(lockFile, aside);
    if (read(aside) !== holders) linkSync(aside, lockFile);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
};

const takeLock = async () => {
  mkdirSync(path.dirname(lockFile), { recursive: true });
  for (let waited = 0; !tryToLock(); waited += 1) {
    if (waited === 0) say('Another set-up is at work in this folder; waiting for it…');
    removeStaleLock();
    await sleep(200);
  }
};

// ---- the installation -------------------------------------------------------------------------------------------

const insideModules = (file) => path.resolve(file).startsWith(path.join(root, 'node_modules') + path.sep);

const pathWithoutModules = () =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => !insideModules(path.join(folder, 'x')))
    .join(path.delimiter);

/** A Node that npm ci does not delete while it runs. */
const outerNode = () => {
  const candidates = [process.execPath, process.env.npm_node_execpath];
  for (const folder of pathWithoutModules().split(path.delimiter)) {
    candidates.push(path.join(folder, windows ? 'node.exe' : 'node'));
  }
  return candidates.find((file) => file && existsSync(file) && !insideModules(file));
};

/** npm's own script, so that no shell and no PATH has a say; npm sets the variable for the scripts it runs. */
const npmCommand = () => {
  const script = process.env.npm_execpath;
  const node = outerNode();
  if (script && /\.[cm]?js$/.test(script) && existsSync(script) && node)
    return { file: node, first: [script] };
  return { file: windows ? 'npm.cmd' : 'npm', first: [] };
};

const ciArguments = [
  'ci',
  '--include=dev',
  '--include=optional',
  '--include=peer',
  '--workspaces=true',
  '--include-workspace-root=true',
  '--prefer-offline',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=2000',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
];

const runCi = () =>
  new Promise((resolve) => {
    const { file, first } = npmCommand();
    const child = spawn(file, [...first, ...ciArguments], {
      cwd: root,
      env: { ...process.env, PATH: pathWithoutModules() },
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: file.endsWith('.cmd'),
    });
    let complaints = '';
    child.stderr.on('data', (chunk) => {
      complaints = (complaints + chunk).slice(-4_000);
    });
    child.on('error', (error) => resolve({ code: 1, complaints: error.message }));
    child.on('spawn', () => writeFileSync(lockFile, `${mark(process.pid)}\n${mark(child.pid)}\n`));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, complaints: signal ? `npm ci was ended by ${signal}` : complaints }),
    );
  });

const explain = (complaints) => {
  if (/EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ENETUNREACH|ECONNRESET/.test(complaints)) {
    return new SetUpFailure(
      'npm could not reach its registry, and its cache does not hold all packages',
      'connect to the network once and run the command again; later runs work offline',
    );
  }
  if (/EACCES|EPERM|EROFS/.test(complaints)) {
    return new SetUpFailure(`this user may not write in ${root}`, 'run it as the owner of this folder');
  }
  if (/ENOSPC/.test(complaints)) return new SetUpFailure('the disk is full', 'free 1 GB and run it again');
  return new SetUpFailure('npm ci failed; what it said is above', 'run it by hand: npm ci');
};

const install = async () => {
  const { code, complaints } = await runCi();
  if (code === 0) return;
  const shown = complaints.trim();
  if (shown !== '') process.stderr.write(`${shown}\n`);
  throw explain(complaints);
};

// ---- Node -------------------------------------------------------------------------------------------------------

const versionOf = (file) => {
  const run = spawnSync(file, ['--version'], { encoding: 'utf8', shell: file.endsWith('.cmd') });
  return run.status === 0 ? run.stdout.trim() : undefined;
};

const isNewEnough = (version) => {
  const [major = 0, minor = 0] = (version ?? '').replace(/^v/, '').split('.').map(Number);
  return major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1]);
};

/**
 * The Node that the scripts will find first: ours where npm has one for this platform, else the installed one.
 * An optional package that fails to unpack is skipped by npm without a word, so it is run to be sure.
 */
const checkNode = () => {
  const own = existsSync(ownNode) ? versionOf(ownNode) : undefined;
  const version = own ?? process.version;
  if (isNewEnough(version)) return version;
  throw new SetUpFailure(
    `Node ${nodeMin.join('.')} or newer is needed; here is ${version}, and npm has no Node 24 for ${process.platform}-${process.arch}`,
    'install Node 24 (https://nodejs.org)',
  );
};

// ---- the run ----------------------------------------------------------------------------------------------------

const seconds = (since) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

const announce = (version, took) => {
  const packages = took ? `2/4 packages ✓ ${took}` : '2/4 packages ✓';
  if (isStart) say(`1/4 Node ${version.replace(/^v/, '').split('.')[0]} ✓  ${packages}`);
  else if (took) say(`packages ✓ ${took}`);
};

const setUp = async () => {
  const stamp = wantedStamp();
  const isReady = () => read(stampFile) === stamp && (existsSync(ownNode) || isNewEnough(process.version));
  if (isReady()) return announce(existsSync(ownNode) ? 'v24' : process.version);
  const since = performance.now();
  await takeLock();
  try {
    if (!isReady()) {
      say(
        statSync(path.join(root, 'node_modules'), { throwIfNoEntry: false })
          ? 'The packages changed; installing them…'
          : 'First run: installing the packages, about half a minute…',
      );
      await install();
    }
    const version = checkNode();
    writeFileSync(stampFile, stamp);
    announce(version, seconds(since));
  } finally {
    rmSync(lockFile, { force: true });
  }
};

try {
  await setUp();
} catch (failure) {
  if (failure instanceof SetUpFailure) process.stderr.write(`\n✕ ${failure.cause}\n  → ${failure.remedy}\n`);
  else if (failure?.code === 'EACCES' || failure?.code === 'EROFS') {
    process.stderr.write(`\n✕ this user may not write in ${root}\n  → run it as the owner of this folder\n`);
  } else throw failure;
  process.exitCode = 1;
}
