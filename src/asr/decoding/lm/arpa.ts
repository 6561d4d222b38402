// Reads n-gram language models in the ARPA format, as written by KenLM's lmplz and SRILM.
import { AnemoneError } from '../../../errors/index.js';
import { decodeUtf8, isUtf16 } from '../../../formats/index.js';
import { NgramModel, type NgramNode } from './ngram-model.js';

/**
 * The model of an ARPA file.
 * @param name of the file, for messages
 * @throws AnemoneError `lm.bad-arpa`
 */
export function parseArpa(bytes: Uint8Array, name: string): NgramModel {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) throw bad(name, 1, 'it is compressed; unpack it first');
  if (isUtf16(bytes)) decodeUtf8(bytes, name);
  const text = new TextDecoder().decode(bytes);
  const ids = new Map<string, number>();
  const root: NgramNode = { logProbability: undefined, backOff: 0, children: new Map() };
  let order = 0;
  let longest = 0;
  let seenData = false;
  let ended = false;
  let number = 0;
  // Words may be any characters but space, tab and newline: NeMo's models of subwords use odd ones.
  for (const raw of text.split('\n')) {
    number++;
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line === '') continue;
    if (line === '\\data\\') seenData = true;
    else if (!seenData) {
      if (number > 100 || line.includes('\0')) break;
    } else if (line === '\\end\\') {
      ended = true;
      break;
    } else if (line.startsWith('ngram ') && order === 0) {
      longest = Math.max(longest, orderOf(line, number));
    } else if (/^\\\d+-grams:$/.test(line)) order = Number.parseInt(line.slice(1), 10);
    else if (order > 0) addEntry(line, number);
    else throw bad(name, number, `unexpected text "${line.slice(0, 40)}"`);
  }
  if (!seenData) {
    throw bad(
      name,
      1,
      'there is no \\data\\ line: it is not an ARPA file (binary KenLM models are not read)',
    );
  }
  if (!ended) throw bad(name, number, 'the file ends without \\end\\');
  // Not before: a file of another kind is named as such.
  if (text.includes('\ufffd')) decodeUtf8(bytes, name);
  return new NgramModel(longest, ids, root);

  function orderOf(line: string, at: number): number {
    const order = Number(line.slice(6).split('=')[0]);
    if (!Number.isSafeInteger(order) || order < 1)
      throw bad(name, at, `"${line.slice(0, 40)}" names no order`);
    return order;
  }

  function addEntry(line: string, at: number): void {
    const [probability, words, backOff] = fields(line, order, name, at);
    let node = root;
    for (const word of words) {
      let id = ids.get(word);
      if (id === undefined) {
        id = ids.size;
        ids.set(word, id);
      }
      node.children ??= new Map();
      let child = node.children.get(id);
      if (!child) {
        child = { logProbability: undefined, backOff: 0, children: undefined };
        node.children.set(id, child);
      }
      node = child;
    }
    node.logProbability = probability * Math.LN10;
    node.backOff = backOff * Math.LN10;
  }
}

/** Of a logarithm; toolkits write -99 for a probability of 0, and sums of much larger ones are no numbers. */
const MAX_LOG = 1e6;

/** log10 probability, words, log10 back-off. */
function fields(line: string, order: number, name: string, at: number): [number, string[], number] {
  const parts = line.split(/[ \t]+/);
  const numbers = [Number(parts[0]), parts.length > order + 1 ? Number(parts[order + 1]) : 0];
  if (
    parts.length < order + 1 ||
    parts.length > order + 2 ||
    numbers.some((x) => !(Math.abs(x) <= MAX_LOG))
  ) {
    throw bad(name, at, `expected a probability, ${order} words and maybe a back-off weight`);
  }
  return [numbers[0], parts.slice(1, order + 1), numbers[1]];
}

function bad(name: string, line: number, message: string): AnemoneError {
  return new AnemoneError({
    code: 'lm.bad-arpa',
    message: `${name}, line ${line}: ${message}`,
    hint: 'a language model is an ARPA file, as `lmplz --arpa` writes it',
  });
}
