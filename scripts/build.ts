// Builds dist/: compiles src and copies the .sql files, which are read from beside the compiled modules.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });

const compiled = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
if (compiled.status !== 0) process.exit(1);

cpSync(`${root}src`, `${root}dist`, {
  recursive: true,
  filter: (source) => !source.includes('.') || source.endsWith('.sql') || !/\.[a-z]+$/.test(source),
});
