import { readdirSync, readFileSync } from 'node:fs';

/** Kernel ticks per second: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

const readStat = (pid: number): { parent: number; ticks: number } | null => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
    return { parent: fields[1] ?? 0, ticks: user + system + childUser + childSystem };
  } catch {
    return null;
  }
};

/** Milliseconds of processor time that a server and its processes, dead ones included, have used; 0 where there is no /proc. */
export const serverProcessorMs = (postmaster: number): number => {
  let ticks = readStat(postmaster)?.ticks ?? 0;
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const stat = readStat(Number(name));
    if (stat?.parent === postmaster) ticks += stat.ticks;
  }
  return (ticks * 1000) / ticksPerSecond;
};

/** Milliseconds of processor time that everything on the machine has used. */
export const machineProcessorMs = (): number => {
  try {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = line.split(/\s+/).map(Number);
    return ((user + nice + system + irq + softIrq) * 1000) / ticksPerSecond;
  } catch {
    return 0;
  }
};
