// Error rates compare what the tokenizer gives back of the transcript's ids, as NeMo's WER metric does.
import { describe, expect, it } from 'vitest';
import type { Recognizer } from '../../src/asr/recognition/recognizer.js';
import { SpeechEvaluator } from '../../src/asr/recognition/speech-evaluator.js';
import { int32 } from '../../src/engine/index.js';
import {
  CharTokenizer,
  SentencePieceTokenizer,
  type Tokenizer,
  trainSentencePiece,
} from '../../src/text/index.js';

/** Evaluates hypotheses that are the ids of `heard`. */
async function evaluated(
  tokenizer: Tokenizer,
  texts: readonly string[],
  heard: readonly string[],
  prompts?: number,
) {
  const hypotheses = heard.map((text) => ({ tokens: tokenizer.textToIds(text), score: 0, frames: [] }));
  const recognizer = { recognize: async () => ({ hypotheses }) } as unknown as Recognizer;
  const evaluator = new SpeechEvaluator(recognizer, tokenizer, (ids) => tokenizer.idsToText(ids), false);
  const prompt = new Array<number>(prompts ?? 0).fill(0);
  const rows = texts.map((text) => [
    ...prompt,
    ...tokenizer.textToIds(text),
    ...(prompts === undefined ? [] : [0]),
  ]);
  const width = Math.max(...rows.map((row) => row.length)) + 2;
  const targets = Int32Array.from(
    rows.flatMap((row) => [...row, ...new Array<number>(width - row.length).fill(0)]),
  );
  await evaluator.add({
    inputs: {
      targets: int32(targets, [texts.length, width]),
      targetLengths: int32(
        rows.map((row) => row.length),
        [texts.length],
      ),
      ...(prompts !== undefined && {
        promptLengths: int32(
          texts.map(() => prompts),
          [texts.length],
        ),
      }),
    },
    size: texts.length,
    units: 1,
    names: texts.map((_, i) => `${i}.wav`),
    texts,
  });
  return evaluator.summary();
}

describe('references', () => {
  const texts = ['àlpha bravó', 'ＤＥＬＴＡ écho'].map((text) => text.normalize('NFD'));
  const { model } = trainSentencePiece({ lines: texts, vocabSize: 40, hardVocabLimit: false });
  const tokenizer = SentencePieceTokenizer.fromBytes(model);

  it('are normalised as the tokenizer normalises', async () => {
    const { metrics, samples } = await evaluated(tokenizer, texts, ['àlpha bravó', 'DELTA alpha']);
    expect(metrics['wer']).toBe(1 / 4);
    expect(samples[0]).toEqual({ name: '0.wav', reference: 'àlpha bravó', hypothesis: 'àlpha bravó' });
  });

  it('of prompted models are without prompt and end', async () => {
    const { metrics, samples } = await evaluated(tokenizer, texts, ['àlpha bravó', 'DELTA écho'], 3);
    expect(metrics['wer']).toBe(0);
    expect(samples[1].reference).toBe('DELTA écho');
  });

  it('say what the vocabulary can: unknown pieces are ⁇, unknown characters of labels are left out', async () => {
    const unknown = await evaluated(tokenizer, ['bravó 7'], ['bravó']);
    expect(unknown.samples[0].reference).toBe('bravó  ⁇ ');
    expect(unknown.metrics['wer']).toBe(1 / 2);
    const labels = new CharTokenizer([' ', 'a', 'b']);
    expect((await evaluated(labels, ['a7b ab!'], ['ab ab'])).metrics['wer']).toBe(0);
  });
});
