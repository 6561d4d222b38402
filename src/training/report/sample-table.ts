// Reference and hypothesis pairs, aligned word by word, errors marked.
import type { EvaluatedSample } from '../../model/index.js';
import { align, type Edit } from '../../text/index.js';
import { escapeHtml } from './markup.js';

/** Pairs that are shown. */
export const MOST_SAMPLES = 20;

export function sampleTable(samples: readonly EvaluatedSample[]): string {
  if (samples.length === 0) return '';
  return `<h2>Reference and hypothesis</h2>
<p class="note">From the last validation. Substituted words stand over one another; <del>missing</del> and <ins>added</ins> words stand alone.</p>
${samples.slice(0, MOST_SAMPLES).map(pair).join('\n')}`;
}

function pair({ name, reference, hypothesis }: EvaluatedSample): string {
  const edits = align(words(reference), words(hypothesis));
  const cells = (side: 'reference' | 'hypothesis') => edits.map((edit) => cell(edit, side)).join('');
  return `<div class="pair"><p class="name">${escapeHtml(name)}</p><div class="scroll"><table>
<tr><th>reference</th>${cells('reference')}</tr>
<tr><th>hypothesis</th>${cells('hypothesis')}</tr>
</table></div></div>`;
}

function cell(edit: Edit, side: 'reference' | 'hypothesis'): string {
  const word = edit[side];
  return word === undefined ? '<td></td>' : `<td class="${edit.kind}">${escapeHtml(word)}</td>`;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
