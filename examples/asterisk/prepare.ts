// Command: telephone prompts in five languages, about 25 minutes each, as 16 kHz WAV files and manifests.
//   npx tsx examples/asterisk/prepare.ts [--out asterisk-data] [--langs en,es,fr,it,ru] [--workers 2]
// Which prompts validate and test is fixed in split.json: related prompts stay together and no text is on two
// sides. Left out are beeps, menus with several speakers' worth of text, and duplicates.
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { audioInfo } from '../../src/audio/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { printSets, runCommand } from '../lib/command.js';
import { type ManifestLine, writeManifest } from '../lib/manifest.js';
import { spokenForm } from '../lib/text.js';
import { convertG722, mapLimited, needFfmpeg, needPath } from '../lib/tools.js';

const SOUNDS = '/usr/share/asterisk/sounds';
const DOCUMENTS = '/usr/share/doc';

/** The speaker of each language; also the name of the package's folder of sounds. */
const SPEAKERS: Readonly<Record<string, string>> = {
  en: 'en_US_f_Allison',
  es: 'es_MX_f_Allison',
  fr: 'fr_CA_f_June',
  it: 'it_IT_m_Carlo',
  ru: 'ru_RU_f_IvrvoiceRU',
};

interface LanguageSplit {
  readonly dev: string;
  readonly test: string;
  readonly left_out: string;
}

/** `name: text` lines; a semicolon starts a comment. */
export function parsePromptList(text: string): { readonly id: string; readonly text: string }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([^;:][^:]*):(.*)$/.exec(line);
    return match === null ? [] : [{ id: match[1].trim(), text: spokenForm(match[2]) }];
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'asterisk-data' },
      langs: { type: 'string', default: Object.keys(SPEAKERS).join(',') },
      workers: { type: 'string', default: String(availableParallelism()) },
    },
  });
  await needFfmpeg();
  const splits = JSON.parse(await readFile(new URL('./split.json', import.meta.url), 'utf8')) as Record<
    string,
    LanguageSplit
  >;
  const all: Record<string, ManifestLine[]> = { train: [], dev: [], test: [] };
  for (const lang of values.langs.split(',')) {
    const speaker = SPEAKERS[lang];
    if (speaker === undefined) {
      throw new AnemoneError({
        code: 'recipe.language',
        message: `there are no prompts in "${lang}"`,
        hint: `the languages are ${Object.keys(SPEAKERS).join(', ')}`,
      });
    }
    const sets = await prepareLanguage(lang, speaker, splits[lang], values.out, Number(values.workers));
    console.log(`${lang}  ${speaker}`);
    printSets(sets);
    for (const [name, lines] of Object.entries(sets)) {
      await writeManifest(join(values.out, `${name}_${lang}.json`), lines);
      all[name].push(...lines);
    }
  }
  for (const [name, lines] of Object.entries(all)) {
    await writeManifest(join(values.out, `${name}.json`), lines);
  }
  console.log('all');
  printSets(all);
}

async function prepareLanguage(
  lang: string,
  speaker: string,
  split: LanguageSplit,
  out: string,
  workers: number,
): Promise<Record<string, ManifestLine[]>> {
  const packages = [`asterisk-core-sounds-${lang}`, `asterisk-core-sounds-${lang}-g722`];
  const list = join(DOCUMENTS, packages[0], `core-sounds-${lang}.txt.gz`);
  const sounds = join(SOUNDS, speaker);
  await needPath(list, packages);
  await needPath(sounds, packages);
  const names = (text: string) => new Set(text.split(' '));
  const [dev, test, leftOut] = [names(split.dev), names(split.test), names(split.left_out)];
  const prompts = parsePromptList((await promisify(gunzip)(await readFile(list))).toString('utf8'));
  const lines = await mapLimited(prompts, Math.max(1, workers), async ({ id, text }) => {
    if (leftOut.has(id) || text === '') return undefined;
    const source = join(sounds, `${id}.g722`);
    const bytes = await readFile(source).catch(() => undefined);
    if (bytes === undefined) return undefined; // some texts have no recording
    const path = `audio/${lang}/${id}.wav`;
    await mkdir(dirname(join(out, path)), { recursive: true });
    await convertG722(source, join(out, path));
    const { duration = 0 } = await audioInfo(join(out, path));
    return { id, line: { audio_filepath: path, duration, text, speaker, lang } };
  });
  const sets: Record<string, ManifestLine[]> = { train: [], dev: [], test: [] };
  for (const entry of lines) {
    if (entry === undefined) continue;
    sets[dev.has(entry.id) ? 'dev' : test.has(entry.id) ? 'test' : 'train'].push(entry.line);
  }
  return sets;
}

if (process.argv[1]?.endsWith('prepare.ts')) runCommand(main);
