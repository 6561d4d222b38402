// The phrases of a `boosting_tree` section as tokens, and the tree made of them.
import { AnemoneError, saidBy } from '../../../errors/index.js';
import { decodeUtf8 } from '../../../formats/index.js';
import type { ReadFile, Tokenizer } from '../../../text/index.js';
import { type BoostedPhrase, BoostingTree } from './boosting-tree.js';
import type { BoostingTreeConfig } from './config.js';

interface Phrase {
  readonly text: string;
  readonly lang: string;
  /** Key that it comes from. */
  readonly key: string;
}

/**
 * @param path of the section, for messages
 * @throws AnemoneError `decoding.missing-file`, `decoding.no-phrases`, `decoding.phrase`, `text.language-needed`
 */
export function boostingTree(
  config: BoostingTreeConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
  path: string,
): BoostingTree {
  const phrases = phrasesOf(config, readFile, path).map((phrase) =>
    tokensOf(phrase, config, tokenizer, path),
  );
  return new BoostingTree(phrases, {
    contextScore: config.context_score,
    depthScaling: config.depth_scaling,
    unknownScore: config.unk_score,
    uniform: config.uniform_weights,
  });
}

function phrasesOf(config: BoostingTreeConfig, readFile: ReadFile, path: string): Phrase[] {
  const { key_phrases_file: file, source_lang: lang } = config;
  if (file !== null) {
    const key = 'key_phrases_file';
    const lines = read(file, readFile, `${path}.${key}`).split('\n');
    const phrases = lines.map((line) => line.trim()).filter((line) => line !== '');
    if (phrases.length === 0) {
      throw new AnemoneError({
        code: 'decoding.no-phrases',
        path: `${path}.${key}`,
        message: `there are no phrases in ${file}`,
        hint: 'write one a line, or leave the key out',
      });
    }
    return phrases.map((text) => ({ text, lang, key }));
  }
  const { key_phrases_list: list, key_phrase_items_list: items } = config;
  return [
    ...(list ?? []).map((text) => ({ text, lang, key: 'key_phrases_list' })),
    ...(items ?? []).map((item) => ({
      text: item.phrase,
      lang: item.lang ?? lang,
      key: 'key_phrase_items_list',
    })),
  ];
}

function read(file: string, readFile: ReadFile, path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFile(file);
  } catch (cause) {
    throw new AnemoneError({
      code: 'decoding.missing-file',
      path,
      message: `cannot read the phrases of ${file}${saidBy(cause)}`,
      hint: 'correct the path, name the file yourself (key=value), or give key_phrases_list',
      cause,
    });
  }
  return decodeUtf8(bytes, file);
}

function tokensOf(
  { text, lang, key }: Phrase,
  config: BoostingTreeConfig,
  tokenizer: Tokenizer,
  path: string,
): BoostedPhrase {
  const refuse = (message: string, hint: string): AnemoneError =>
    new AnemoneError({ code: 'decoding.phrase', path: `${path}.${key}`, message, hint });
  const shownText = JSON.stringify(text);
  const unknownCharacters = tokenizer
    .unknownCharacters(text, lang)
    .map((character) => JSON.stringify(character));
  if (unknownCharacters.length > 0) {
    throw refuse(
      `the tokenizer cannot write ${unknownCharacters.join(', ')} of the phrase ${shownText}`,
      'spell phrases as the transcripts that the model was trained on',
    );
  }
  const tokens = tokenizer.textToIds(text, lang);
  if (tokens.length === 0) throw refuse(`the phrase ${shownText} has no tokens`, 'leave it out');
  return { tokens, score: hundredths(config.score_per_phrase / [...text].length) };
}

/** Python's round(x, 2): halves, which only eighths have, go to the even hundredth. */
function hundredths(x: number): number {
  const isHalf = Number.isInteger(8 * x) && !Number.isInteger(4 * x);
  if (!isHalf) return Number(x.toFixed(2));
  const below = Math.floor(100 * x);
  return (below % 2 === 0 ? below : below + 1) / 100;
}
