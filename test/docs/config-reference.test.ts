// The reference of all config keys is made from the schemas: whoever adds a component or a key makes it anew.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { REFERENCE_COMMAND, referenceFiles } from '../../scripts/reference-files.js';

it.each(Object.entries(referenceFiles()))('%s is up to date', (name, text) => {
  const isCurrent = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8') === text;
  expect(isCurrent, `${name} is out of date; run: ${REFERENCE_COMMAND}`).toBe(true);
});
