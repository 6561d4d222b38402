// Questions and answers from WordNet: "What is a heron?" and its gloss. Words that share a gloss are on one side of the split.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CounterRandom } from '../../src/random/index.js';

const { values } = parseArgs({
  options: {
    wordnet: { type: 'string', default: '/usr/share/wordnet' },
    out: { type: 'string', default: 'data/lora' },
    train: { type: 'string', default: '3000' },
    validation: { type: 'string', default: '100' },
  },
});

const data = readFileSync(join(values.wordnet, 'data.noun'));
/** The definition at a place of data.noun, without its examples. */
function glossAt(offset: number): string {
  const line = data.subarray(offset, data.indexOf(10, offset)).toString('latin1');
  return line
    .slice(line.indexOf('|') + 1)
    .split(/; "/)[0]
    .trim();
}

const rows: { offset: number; input: string; output: string }[] = [];
for (const line of readFileSync(join(values.wordnet, 'index.noun'), 'latin1').split('\n')) {
  const fields = line.trim().split(' ');
  const senses = Number(fields[2]);
  // Words that texts have been seen to use, in their first sense.
  const isUsed = Number(fields[5 + Number(fields[3])]) > 0;
  if (!isUsed || !/^[a-z]{3,}$/.test(fields[0])) continue;
  const offset = Number(fields[fields.length - senses]);
  const article = /^[aeiou]/.test(fields[0]) ? 'an' : 'a';
  rows.push({ offset, input: `What is ${article} ${fields[0]}?`, output: glossAt(offset) });
}

const isHeldOut = ({ offset }: { readonly offset: number }): boolean => new CounterRandom(1, offset).integer(0, 10) === 0; // biome-ignore format: one line
const order = new CounterRandom(2).permutation(rows.length);
const shuffled = Array.from(order, (i) => rows[i]);
mkdirSync(values.out, { recursive: true });
for (const [name, part, count] of [
  ['train', shuffled.filter((row) => !isHeldOut(row)), Number(values.train)],
  ['validation', shuffled.filter(isHeldOut), Number(values.validation)],
] as const) {
  const lines = part.slice(0, count).map(({ input, output }) => `${JSON.stringify({ input, output })}\n`);
  writeFileSync(join(values.out, `${name}.jsonl`), lines.join(''));
  console.log(`${name}: ${lines.length} of ${part.length} rows`);
}
