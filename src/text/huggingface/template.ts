// The `post_processor` of tokenizer.json: special tokens around a text.
import type { JsonNode } from './json-node.js';

/** Ids before and after a text. */
export interface Surroundings {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const NOTHING: Surroundings = { before: [], after: [] };
const KNOWN = ['TemplateProcessing', 'BertProcessing', 'RobertaProcessing', 'ByteLevel', 'Sequence'];

/** @throws AnemoneError `tokenizer.unsupported`, `tokenizer.damaged` */
export function surroundingsOf(node: JsonNode): Surroundings {
  if (node.isAbsent) return NOTHING;
  const kind = node.field('type').text();
  if (kind === 'TemplateProcessing') return template(node);
  if (kind === 'BertProcessing' || kind === 'RobertaProcessing') {
    const id = (key: string): number => {
      const [, written] = node.field(key).items();
      if (!written) throw node.field(key).wrong('expected a token and its id');
      return written.count();
    };
    return { before: [id('cls')], after: [id('sep')] };
  }
  if (kind === 'Sequence')
    return node
      .field('processors')
      .items()
      .map(surroundingsOf)
      .reduce(
        (inner, outer) => ({
          before: [...outer.before, ...inner.before],
          after: [...inner.after, ...outer.after],
        }),
        NOTHING,
      );
  // It moves offsets, which are not kept here.
  if (kind === 'ByteLevel') return NOTHING;
  throw node.unsupported(`the post-processor ${kind}`, KNOWN);
}

function template(node: JsonNode): Surroundings {
  const before: number[] = [];
  const after: number[] = [];
  let side = before;
  for (const piece of node.field('single').items()) {
    if (!piece.field('Sequence').isAbsent) side = after;
    else {
      const name = piece.field('SpecialToken').field('id').text();
      for (const id of node.field('special_tokens').field(name).field('ids').items()) side.push(id.count());
    }
  }
  if (side === before && node.field('single').items().length > 0)
    throw node.field('single').wrong('the template has no place for the text');
  return { before, after };
}
