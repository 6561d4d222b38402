// GPT-2's vocab.json and merges.txt.
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8, parseJsonText } from '../../formats/index.js';
import { byteLevelJson } from './families.js';
import { HuggingFaceTokenizer } from './huggingface-tokenizer.js';
import { JsonNode } from './json-node.js';

/** A file and its name, for messages and for what checkpoints keep. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const END = '<|endoftext|>';

/**
 * The tokenizer of GPT-2, its end of text where the vocabulary has it.
 * @throws AnemoneError `tokenizer.damaged`
 */
export function gpt2Tokenizer(
  vocabulary: NamedBytes,
  merges: NamedBytes,
  files: ReadonlyMap<string, Uint8Array> = new Map(
    [vocabulary, merges].map(({ name, bytes }) => [name, bytes]),
  ),
): HuggingFaceTokenizer {
  const position = { file: vocabulary.name };
  const written = parseJsonText(vocabulary.bytes, { code: 'tokenizer.damaged', position });
  const ids = new Map(
    Object.entries(new JsonNode(written, vocabulary.name).mapping()).map(([token, id]) => [
      token,
      id as number,
    ]),
  );
  const end = ids.get(END);
  const json = byteLevelJson({
    vocabulary: Object.fromEntries(ids),
    merges: pairsOf(merges),
    words: 'gpt2',
    specials: new Map(end === undefined ? [] : [[END, end]]),
  });
  const token = end === undefined ? undefined : END;
  return HuggingFaceTokenizer.fromJson(json, { bos: token, eos: token, unk: token, files }, vocabulary.name);
}

/** A pair a line; the first line may say the version. */
function pairsOf({ name, bytes }: NamedBytes): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const [i, line] of decodeUtf8(bytes, name).split(/\r?\n/).entries()) {
    if (line === '' || (i === 0 && line.startsWith('#version'))) continue;
    const [left, right, more] = line.split(' ');
    if (!left || !right || more !== undefined)
      throw new AnemoneError({
        code: 'tokenizer.damaged',
        position: { file: name, line: i + 1 },
        message: 'expected two tokens with a space between them',
        hint: 'merge_file is the merges.txt of GPT-2',
      });
    pairs.push([left, right]);
  }
  return pairs;
}
