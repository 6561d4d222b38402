// Command: English text of documentation that Debian ships, as JSON lines to train a language model on.
//   npx tsx examples/debian-text/prepare.ts [--out debian-text-data] [--packages FOLDER]
// Packages are downloaded (107 MB) and unpacked in the folder of temporary files, not installed. Lines that were there before are left out,
// over all packages. Held out: Django's documentation, sections H to J of the Anarchist FAQ, and State of the Union addresses
// after 2000, which no package here holds.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AnemoneError } from '../../src/errors/index.js';
import { writeFileAtomically } from '../../src/formats/index.js';
import { runCommand } from '../lib/command.js';
import { addresses } from '../sotu/addresses.js';
import { dictionaryTexts, htmlText } from './texts.js';

const run = promisify(execFile);

/** Debian packages: html pages, or a dictionary. The set of a page is `train` unless something else is said. */
const PACKAGES: Readonly<Record<string, (path: string) => string>> = {
  anarchism: (path) => (/\/sec[HIJ]/.test(path) ? 'test_faq' : 'train'),
  'libreoffice-help-en-us': () => 'train',
  'python-django-doc': () => 'test_django',
  'python3.11-doc': () => 'train',
  'linux-doc-6.1': () => 'train',
  'rust-doc': () => 'train',
  'openjdk-17-doc': () => 'train',
  'dict-gcide': () => 'train',
};

/** A page of fewer characters is a list of links. */
const SHORTEST = 200;

class Corpus {
  readonly sets = new Map<string, string[]>();
  private readonly seen = new Set<string>();

  /** Adds a text without the lines that were there before. @param lines its paragraphs */
  add(set: string, source: string, lines: readonly string[]): void {
    const fresh = lines.filter((line) => {
      if (line === '' || this.seen.has(line)) return false;
      this.seen.add(line);
      return true;
    });
    const text = fresh.join('\n');
    if (text.length < SHORTEST) return;
    const texts = this.sets.get(set) ?? [];
    texts.push(`${JSON.stringify({ source, text })}\n`);
    this.sets.set(set, texts);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: 'debian-text-data' }, packages: { type: 'string' } },
  });
  const folder = values.packages
    ? resolve(values.packages)
    : await mkdtemp(join(tmpdir(), 'anemone-debian-'));
  try {
    const corpus = new Corpus();
    for (const [name, setOf] of Object.entries(PACKAGES)) {
      const unpacked = await unpackedPackage(name, folder);
      for (const path of await filesOf(unpacked)) {
        if (path.endsWith('.html')) corpus.add(setOf(path), name, htmlText(await readFile(path, 'utf8')));
        else if (path.endsWith('.dict.dz')) {
          const text = (await promisify(gunzip)(await readFile(path))).toString('utf8');
          for (const lines of dictionaryTexts(text)) corpus.add(setOf(path), name, lines);
        }
      }
      await rm(unpacked, { recursive: true, force: true });
      console.log(`${name}: read`);
    }
    for (const { year, name, text } of await addresses()) {
      if (year > 2000) corpus.add('test_sotu', name, text.split('\n'));
    }
    for (const [set, texts] of [...corpus.sets].sort()) {
      const bytes = Buffer.from(texts.join(''));
      await writeFileAtomically(join(values.out, `${set}.jsonl`), [bytes]);
      console.log(
        `  ${set.padEnd(12)} ${String(texts.length).padStart(6)} texts  ${(bytes.length / 1e6).toFixed(1)} MB`,
      );
    }
  } finally {
    if (!values.packages) await rm(folder, { recursive: true, force: true });
  }
}

/** The package's files in a folder. It is downloaded unless it lies in `folder`. */
async function unpackedPackage(name: string, folder: string): Promise<string> {
  const archiveOf = async () =>
    (await readdir(folder)).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  try {
    if (!(await archiveOf())) await run('apt-get', ['download', name], { cwd: folder });
    const archive = await archiveOf();
    if (!archive) throw new Error('apt-get downloaded nothing');
    const unpacked = join(folder, `${name}.files`);
    await run('dpkg-deb', ['-x', join(folder, archive), unpacked]);
    return unpacked;
  } catch (cause) {
    throw new AnemoneError({
      code: 'recipe.missing-data',
      message: `${name} cannot be fetched: ${(cause as Error).message.split('\n')[0]}`,
      hint: 'this recipe needs Debian 12 with apt (apt-get update), or its packages in a folder: --packages FOLDER',
      cause,
    });
  }
}

/** Files in order of their names, which is that of every machine. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

if (process.argv[1]?.endsWith('prepare.ts')) runCommand(main);
