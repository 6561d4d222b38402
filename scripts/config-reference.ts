// Writes docs/config-reference.md and conf/config.schema.json from the schemas of everything registered.
// With --check it writes nothing and exits 1 if a file is out of date (CI). Run: npx tsx scripts/config-reference.ts
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { REFERENCE_COMMAND, referenceFiles } from './reference-files.js';

const check = process.argv.includes('--check');
for (const [name, text] of Object.entries(referenceFiles())) {
  const file = new URL(`../${name}`, import.meta.url);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  if (check) {
    console.error(`${name} is out of date; run: ${REFERENCE_COMMAND}`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${name}`);
  }
}
