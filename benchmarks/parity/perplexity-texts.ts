// Texts to measure a pretrained model on: guides of LibreOffice Writer, the Anarchist FAQ and Django's documentation, as Debian ships
// them. Paragraphs of the pages, in the order of their names, joined by spaces.
//   npx tsx benchmarks/parity/perplexity-texts.ts OUT --packages FOLDER
// FOLDER has what `apt-get download libreoffice-help-en-us anarchism python-django-doc` brings; nothing is installed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { convert } from 'html-to-text';

interface Source {
  readonly name: string;
  readonly archive: string;
  readonly folder: string;
  /** Which pages, the first ones first. */
  readonly pages: RegExp;
}

const SOURCES: readonly Source[] = [
  { name: 'writer', archive: 'libreoffice-help-en-us', folder: 'usr/share/libreoffice/help/en-US/text/swriter/guide', pages: /\.html$/ },
  { name: 'faq', archive: 'anarchism', folder: 'usr/share/doc/anarchism/html', pages: /^(intro|secA1)\.html$/ },
  { name: 'django', archive: 'python-django-doc', folder: 'usr/share/doc/python-django-doc/html/topics', pages: /\.html$/ },
]; // biome-ignore format: a table
/** More than 1536 tokens. */
const CHARACTERS = 12_000;

/** The paragraphs of a page, each in one line. */
function paragraphs(html: string): string[] {
  const found = html.replace(/<(script|style)\b.*?<\/\1>/gis, ' ').match(/<p\b[^>]*>.*?<\/p>/gis) ?? [];
  const selectors = [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
  ];
  return found.map((each) => convert(each, { wordwrap: false, selectors }).replace(/\s+/g, ' ').trim());
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { packages: { type: 'string', default: '.' } } }); // biome-ignore format: one line
const [out = '.'] = positionals;
mkdirSync(out, { recursive: true });
for (const { name, archive, folder, pages } of SOURCES) {
  const file = readdirSync(values.packages).find((each) => each.startsWith(`${archive}_`));
  if (!file) throw new Error(`${archive} is not in ${values.packages}: apt-get download ${archive}`);
  const unpacked = mkdtempSync(join(tmpdir(), 'anemone-texts-'));
  try {
    execFileSync('dpkg-deb', ['-x', join(values.packages, file), unpacked]);
    const names = readdirSync(join(unpacked, folder)).filter((each) => pages.test(each)).sort(); // biome-ignore format: one line
    const all = names.flatMap((each) => paragraphs(readFileSync(join(unpacked, folder, each), 'utf8')));
    writeFileSync(join(out, `${name}.txt`), all.filter(Boolean).join(' ').slice(0, CHARACTERS));
  } finally {
    rmSync(unpacked, { recursive: true });
  }
}
