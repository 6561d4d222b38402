// Reference texts for recipes: what was read aloud, without what is only written.

/** Lower case; letters, digits and apostrophes inside words stay; everything else separates words. */
export function spokenForm(written: string): string {
  return written
    .toLowerCase()
    .replace(/[’‘`´]/g, "'")
    .replace(/[^\p{L}\p{N}']+/gu, ' ')
    .replace(/(^|\s)'+/g, ' ')
    .replace(/''+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
