// Writes docs/config-reference.md and conf/config.schema.json from the schemas of everything registered.
// With --check it writes nothing and exits 1 if a file is out of date (CI). Run: npx tsx scripts/config-reference.ts
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { configSections, createDefaultContainer } from '../src/composition.js';
import { configJsonSchema, configReference } from '../src/container/index.js';

const components = createDefaultContainer().components.list();
const files = {
  'docs/config-reference.md': configReference(configSections, components),
  'conf/config.schema.json': `${JSON.stringify(configJsonSchema(configSections, components), null, 1)}\n`,
};
const check = process.argv.includes('--check');
for (const [name, text] of Object.entries(files)) {
  const file = new URL(`../${name}`, import.meta.url);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  if (check) {
    console.error(`${name} is out of date; run: npx tsx scripts/config-reference.ts`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${name}`);
  }
}
