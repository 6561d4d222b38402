// A reference and a hypothesis printed one above the other, errors marked: capitals would hide the text's
// own, so errors get a letter below (S, D, I) and gaps get stars.
import { align } from './alignment.js';
import { type ErrorUnit, unitsOf } from './error-rate.js';

/** What is compared, and how wide it is printed. */
export interface FormatAlignmentOptions {
  /** What is compared; default words. */
  readonly unit?: ErrorUnit;
  /** Columns before a new block of three lines begins; default 100. */
  readonly width?: number;
}

const labels = ['ref ', 'hyp ', '    '];

/** Blocks of lines (reference, hypothesis, marks if any), a blank line between blocks; no final newline. */
export function formatAlignment(
  reference: string,
  hypothesis: string,
  options: FormatAlignmentOptions = {},
): string {
  const { unit = 'word', width = 100 } = options;
  const gap = unit === 'word' ? ' ' : '';
  const blocks: string[][] = [];
  let rows = ['', '', ''];
  for (const edit of align(unitsOf(reference, unit), unitsOf(hypothesis, unit))) {
    const top = edit.reference ?? '';
    const bottom = edit.hypothesis ?? '';
    const mark = edit.kind === 'match' ? '' : edit.kind[0].toUpperCase();
    const size = Math.max(displayWidth(top), displayWidth(bottom), 1);
    const cells = [top, bottom, mark].map((cell, row) => {
      const filler = cell === '' && row < 2 ? '*' : ' ';
      return cell + filler.repeat(size - displayWidth(cell));
    });
    if (rows[0] !== '' && displayWidth(rows[0]) + gap.length + size > width - labels[0].length) {
      blocks.push(rows);
      rows = ['', '', ''];
    }
    rows = rows.map((row, i) => (row === '' && rows[0] === '' ? cells[i] : row + gap + cells[i]));
  }
  blocks.push(rows);
  return blocks
    .map((block) => {
      const lines = block.map((row, i) => (labels[i] + row).trimEnd());
      return (lines[2] === '' ? lines.slice(0, 2) : lines).join('\n');
    })
    .join('\n\n');
}

/** Terminal columns: combining marks take none, East Asian wide characters two. */
function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
