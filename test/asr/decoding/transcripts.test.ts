// Decoding sections in whole models: strategies, alternatives, timestamps, confidences, language models.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EncDecCTCModelBPE, EncDecRNNTBPEModel, type SpeechModel } from '../../../src/asr/index.js';
import { createReferenceEngine, type Engine } from '../../../src/engine/index.js';
import { tinyModel, toneSpeech } from '../support.js';
import { batchOf } from '../training.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-lm-'));
afterAll(() => rmSync(folder, { recursive: true }));
const lmFile = join(folder, 'tokens.arpa');
writeFileSync(
  lmFile,
  '\\data\\\nngram 1=6\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-0.1 a\n-3 b\n-3 c\n-3  \n\n\\end\\\n'.replace(
    '-3  \n',
    '-3 <unk>\n',
  ),
);

const ctcDecoder = {
  _target_: 'nemo.collections.asr.modules.ConvASRDecoder',
  feat_in: null,
  num_classes: -1,
};

async function rnnt(engine: Engine, decoding: object): Promise<EncDecRNNTBPEModel> {
  const model = EncDecRNNTBPEModel.fromConfig(tinyModel({ decoding }), { seed: 5, engine });
  const bias = [...model.stateDict().values()].find((state) => state.name === 'joint.joint_net.1.bias')!;
  await engine.write(bias, Float32Array.of(0.45, 0.55, 0.3, 0.1, 0.6));
  return model;
}

function ctc(engine: Engine, decoding: object): EncDecCTCModelBPE {
  const node = tinyModel({ decoder: ctcDecoder, joint: undefined, decoding });
  return EncDecCTCModelBPE.fromConfig(node, { seed: 5, engine });
}

const audio = [toneSpeech('ab', 1), toneSpeech('c', 2)];
const transcribe = (model: SpeechModel) => model.transcribe(audio);

describe('beam searches of a transducer', () => {
  it.each(['beam', 'tsd', 'alsd', 'maes', 'malsd_batch', 'maes_batch'] as const)(
    '%s gives alternatives, best first, the same in a batch',
    async (strategy) => {
      const engine = createReferenceEngine();
      const beam = {
        beam_size: 2,
        return_best_hypothesis: false,
        score_norm: true,
        tsd_max_sym_exp: 3,
        alsd_max_target_len: 1.5,
      };
      const model = await rnnt(engine, { strategy, beam });
      const both = await transcribe(model);
      const [first] = await model.transcribe([audio[1]], {});
      expect(both[1].text).toBe(first.text);
      for (const { alternatives = [], text } of both) {
        expect(alternatives.length).toBeGreaterThan(1);
        expect(alternatives[0].text).toBe(text);
        const keys = alternatives.map(({ score, tokens }) => score / (tokens.length + 1));
        expect([...keys].sort((a, b) => b - a)).toEqual(keys);
      }
      model.changeDecoding({ strategy, beam: { ...beam, return_best_hypothesis: true } });
      expect((await transcribe(model))[0].alternatives).toBeUndefined();
    },
  );

  it('a beam of one is the greedy search of five symbols', async () => {
    const engine = createReferenceEngine();
    const model = await rnnt(engine, { greedy: { max_symbols: 5 } });
    const { inputs } = batchOf(model, ['ab', 'c']);
    const greedy = await model.recognizer(engine).recognize(inputs, false);
    for (const strategy of ['beam', 'tsd', 'alsd', 'maes'] as const) {
      model.changeDecoding({ strategy, beam: { beam_size: 1 } });
      const one = await model.recognizer(engine).recognize(inputs, false);
      expect(one.hypotheses.map(({ tokens, frames }) => ({ tokens, frames }))).toEqual(
        greedy.hypotheses.map(({ tokens, frames }) => ({ tokens, frames })),
      );
    }
    expect(greedy.hypotheses.some(({ tokens }) => tokens.length > 0)).toBe(true);
  });

  it.each(['maes', 'malsd_batch', 'maes_batch'] as const)(
    '%s with a language model prefers what that knows',
    async (strategy) => {
      const engine = createReferenceEngine();
      const beam = { beam_size: 2, maes_expansion_gamma: 9, return_best_hypothesis: false };
      const model = await rnnt(engine, { strategy, beam });
      const share = (transcripts: readonly { text: string }[]): number => {
        const text = transcripts.map((one) => one.text).join('');
        return [...text].filter((letter) => letter === 'a').length / Math.max(text.length, 1);
      };
      const before = share(await transcribe(model));
      model.changeDecoding({
        strategy,
        beam: { ...beam, ngram_lm_model: lmFile, ngram_lm_alpha: 1.5 },
      });
      const after = await transcribe(model);
      expect(share(after)).toBeGreaterThan(before);
      expect(share(after)).toBe(1);
    },
  );

  it.each([
    [{ strategy: 'beam', beam: { ngram_lm_model: lmFile } }, /has no language model.*maes/s],
    [{ strategy: 'maes', beam: { ngram_lm_model: join(folder, 'none') } }, /cannot read the language model/],
    [{ strategy: 'beam', confidence_cfg: { preserve_token_confidence: true } }, /no confidence/],
    [{ strategy: 'maes', beam: { hat_subtract_ilm: true } }, /HATJoint/],
  ] as const)('refuses %j', async (decoding, message) => {
    const engine = createReferenceEngine();
    const model = await rnnt(engine, decoding);
    await expect(transcribe(model)).rejects.toThrow(message);
  });
});

describe('timestamps and confidences', () => {
  it('of a transducer', async () => {
    const engine = createReferenceEngine();
    const model = await rnnt(engine, {
      compute_timestamps: true,
      rnnt_timestamp_type: 'all',
      confidence_cfg: {
        preserve_word_confidence: true,
        aggregation: 'min',
        method_cfg: { name: 'max_prob', alpha: 1 },
      },
    });
    for (const { timestamps, confidence, text, tokens } of await transcribe(model)) {
      expect(timestamps?.char?.map(({ start }) => start)).toEqual(tokens.map(({ seconds }) => seconds));
      expect(timestamps?.word?.map((word) => word.text)).toEqual(
        text.split(' ').filter((word) => word !== ''),
      );
      expect(timestamps?.segment?.map((segment) => segment.text)).toEqual([text.trim()]);
      expect(confidence?.tokens?.length).toBe(tokens.length);
      expect(confidence?.words?.length).toBe(timestamps?.word?.length);
      expect(Math.min(...(confidence?.words ?? []))).toBe(
        Math.min(...tokens.flatMap(({ token }, i) => (token === ' ' ? [] : [confidence?.tokens?.[i] ?? 0]))),
      );
      for (const value of confidence?.frames.flat() ?? []) expect(value).toBeGreaterThanOrEqual(0);
    }
  });

  it('can be asked for by transcribe', async () => {
    const engine = createReferenceEngine();
    const model = await rnnt(engine, {});
    const [plain] = await transcribe(model);
    expect([plain.timestamps, plain.confidence]).toEqual([undefined, undefined]);
    const [timed] = await model.transcribe(audio, { timestamps: 'word' });
    expect(Object.keys(timed.timestamps ?? {})).toEqual(['word']);
  });

  it('of CTC', async () => {
    const engine = createReferenceEngine();
    const model = ctc(engine, {
      compute_timestamps: true,
      ctc_timestamp_type: 'char',
      confidence_cfg: { preserve_token_confidence: true, exclude_blank: false },
    });
    for (const { timestamps, confidence, tokens } of await transcribe(model)) {
      expect(Object.keys(timestamps ?? {})).toEqual(['char']);
      expect(timestamps?.char?.length).toBe(tokens.length);
      expect(confidence?.tokens?.length).toBe(tokens.length);
      expect(confidence?.words).toBeUndefined();
    }
  });
});

describe('CTC beam search', () => {
  it('finds at least the score of the best path, and alternatives', async () => {
    const engine = createReferenceEngine();
    const model = ctc(engine, {});
    const greedy = await transcribe(model);
    model.changeDecoding({
      strategy: 'beam',
      beam: { beam_size: 8, beam_beta: 0, return_best_hypothesis: false },
    });
    for (const [i, { alternatives = [], score, text }] of (await transcribe(model)).entries()) {
      expect(alternatives[0].text).toBe(text);
      expect(alternatives.length).toBe(8);
      const same = alternatives.find((one) => one.text === greedy[i].text);
      expect(same === undefined || same.score <= score).toBe(true);
    }
  });

  it('reads the older names of the language model', async () => {
    const engine = createReferenceEngine();
    const model = ctc(engine, {
      strategy: 'beam',
      beam: { beam_size: 8, beam_beta: 0, kenlm_path: lmFile, beam_alpha: 4 },
    });
    const text = (await transcribe(model)).map((one) => one.text).join('');
    expect(text.replaceAll('a', '')).toBe('');
  });
});
