import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What the system says about a process that lives. */
export interface ProcessFacts {
  /** When it started, as opaque text: with the pid it names one process, also after a reboot or in a container. */
  readonly started: string;
  /** Its arguments separated by NUL, or its command line where the system knows no more. */
  readonly command: string;
}

/** Fields of /proc/<pid>/stat behind the command in parentheses: 0 is the state, 19 the start time. */
const factsFromProc = (pid: number): ProcessFacts | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie is dead; in containers whose first process reaps nobody it stays in the table for ever.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { started: fields[19] ?? '', command: readFileSync(`/proc/${pid}/cmdline`, 'utf8') };
  } catch {
    return undefined;
  }
};

const factsFromPs = (pid: number): ProcessFacts | undefined => {
  const ps = spawnSync('ps', ['-ww', '-o', 'state=,lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const match = /^\s*(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/m.exec(ps.stdout ?? '');
  if (!match || match[1]?.startsWith('Z')) return undefined;
  return { started: match[2] ?? '', command: match[3] ?? '' };
};

const answersSignals = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Undefined when no such process lives. */
export const processFacts = (pid: number): ProcessFacts | undefined => {
  if (!Number.isSafeInteger(pid) || pid <= 0 || !answersSignals(pid)) return undefined;
  if (process.platform === 'linux') return factsFromProc(pid);
  if (process.platform === 'win32') return { started: '', command: '' };
  return factsFromPs(pid);
};

/** Names this process so that another one can tell later whether it still lives. */
export const processMark = (pid: number = process.pid): string =>
  `${pid} ${processFacts(pid)?.started ?? ''}`;

/** Whether the process that wrote this mark still lives; its pid alone may have been given to another one since. */
export const markLives = (mark: string): boolean => {
  const [pid, ...started] = mark.trim().split(' ');
  const facts = processFacts(Number(pid));
  return facts !== undefined && facts.started === started.join(' ');
};
