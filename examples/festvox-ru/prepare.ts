// Command: manifests for the recordings in Debian's festvox-ru (620 read sentences, one speaker, 16 kHz).
//   npx tsx examples/festvox-ru/prepare.ts [--out festvox-ru-data] [--source FOLDER]
// The recordings stay where the package put them. Which sentences validate and test is fixed in split.json;
// no sentence is on two sides.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { audioInfo } from '../../src/audio/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { printSets, runCommand } from '../lib/command.js';
import { type ManifestLine, writeManifest } from '../lib/manifest.js';
import { spokenForm } from '../lib/text.js';
import { needPath } from '../lib/tools.js';

const SOURCE = '/usr/share/festival/voices/russian/msu_ru_nsh_clunits';
const SPEAKER = 'nsh';

/** `( ru_0001 "Text." )` lines as pairs; a plus marks the stress of the vowel after it and is not spoken. */
export function parsePrompts(text: string): { readonly id: string; readonly text: string }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\(\s*(\S+)\s+"(.*)"\s*\)/.exec(line);
    return match === null ? [] : [{ id: match[1], text: spokenForm(match[2].replaceAll('+', '')) }];
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'festvox-ru-data' },
      source: { type: 'string', default: SOURCE },
    },
  });
  const promptsPath = join(values.source, 'etc', 'txt.done.data');
  await needPath(promptsPath, ['festvox-ru']);
  const split = JSON.parse(await readFile(new URL('./split.json', import.meta.url), 'utf8')) as {
    dev: string;
    test: string;
  };
  const dev = new Set(split.dev.split(' '));
  const test = new Set(split.test.split(' '));
  const sets: Record<string, ManifestLine[]> = { train: [], dev: [], test: [] };
  for (const prompt of parsePrompts(await readFile(promptsPath, 'utf8'))) {
    const path = join(values.source, 'wav', `${prompt.id}.wav`);
    const { duration } = await audioInfo(path);
    if (duration === undefined) {
      throw new AnemoneError({
        code: 'recipe.duration',
        message: 'no duration in the file',
        position: { file: path },
      });
    }
    const set = dev.has(prompt.id) ? 'dev' : test.has(prompt.id) ? 'test' : 'train';
    sets[set].push({ audio_filepath: path, duration, text: prompt.text, speaker: SPEAKER, lang: 'ru' });
  }
  await mkdir(values.out, { recursive: true });
  for (const [name, lines] of Object.entries(sets)) {
    await writeManifest(join(values.out, `${name}.json`), lines);
  }
  console.log(`${values.out}: manifests of ${values.source}`);
  printSets(sets);
}

if (process.argv[1]?.endsWith('prepare.ts')) runCommand(main);
