// Compares ids and texts with what tokenizers_side.py wrote, and the time of one core; prints the table of docs/parity.md.
//
//     npx tsx benchmarks/parity/tokenizers.ts OUT
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHuggingFaceTokenizer } from '../../src/text/index.js';

interface Side {
  readonly name: string;
  readonly path: string;
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
  readonly seconds: number;
}

const out = process.argv[2];
const read = <T>(name: string): T => JSON.parse(readFileSync(join(out, name), 'utf8')) as T;
const { lines, documents } = read<{ lines: string[]; documents: string[] }>('texts.json');
const bytes = documents.reduce((sum, document) => sum + Buffer.byteLength(document), 0);
console.log('| tokenizer | lines | ids differ | texts differ | MB/s here | MB/s tokenizers | ratio |');
console.log('|---|---|---|---|---|---|---|');
for (const file of readdirSync(out).filter((name) => name.endsWith('.tokenizer.json'))) {
  const side = read<Side>(file);
  const tokenizer = openHuggingFaceTokenizer(side.path);
  const ids = lines.map((line) => tokenizer.textToIds(line));
  const differs = (row: readonly number[], i: number): boolean => row.length !== side.ids[i].length || row.some((id, j) => id !== side.ids[i][j]); // biome-ignore format: one line
  const wrongIds = ids.filter(differs).length;
  const wrongTexts = side.ids.filter((row, i) => tokenizer.idsToText(row) !== side.decoded[i]).length;
  const started = process.cpuUsage();
  for (const document of documents) tokenizer.encode(document);
  const { user, system } = process.cpuUsage(started);
  const [ours, theirs] = [(user + system) / 1e6, side.seconds].map((seconds) => bytes / 1e6 / seconds);
  console.log(`| ${side.name} | ${lines.length} | ${wrongIds} | ${wrongTexts} | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | ${(ours / theirs).toFixed(2)} |`); // biome-ignore format: one line
}
