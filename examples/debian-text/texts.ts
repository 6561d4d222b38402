// Texts of web pages and of a dictionary, as paragraphs.
import { compile } from 'html-to-text';

const skipped = ['nav', 'header', 'footer', 'script', 'style', 'img', 'svg', 'button', 'form'];
const convert = compile({
  wordwrap: false,
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    ...skipped.map((selector) => ({ selector, format: 'skip' })),
  ],
});

/** Paragraphs of a page, without what leads about in it. */
export function htmlText(html: string): string[] {
  return convert(html).split('\n').map((line) => line.trimEnd()); // biome-ignore format: one line
}

/** Characters of one text of the dictionary. */
const TEXT_SIZE = 20_000;

/** Texts of a dictionary's entries, in its order: an entry's lines that were broken to a width are one again. */
export function dictionaryTexts(dictionary: string): string[][] {
  const texts: string[][] = [[]];
  let size = 0;
  for (const entry of dictionary.split(/\n(?=\S)/)) {
    if (size > TEXT_SIZE) {
      texts.push([]);
      size = 0;
    }
    const paragraphs = entry.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/\s*\n\s*/g, ' ').trim());
    const kept = paragraphs.map((paragraph) =>
      paragraph.replace(/\s*\[[^\]]*(Webster|PJC|WordNet)[^\]]*\]/g, ''),
    );
    texts.at(-1)?.push(...kept);
    size += entry.length;
  }
  return texts;
}
