// Writes the reference pages anew from the catalogues: node scripts/write-references.ts
import { writeFileSync } from 'node:fs';
import { references } from './references.ts';

for (const { file, render } of references) {
  writeFileSync(new URL(`../${file}`, import.meta.url), render());
  console.log(`${file} ✓`);
}
