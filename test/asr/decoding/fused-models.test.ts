// Phrases and n-gram models in whole models: the keys of the decoding section, what they change, and their errors.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { boostingTreeSchema } from '../../../src/asr/decoding/fusion/config.js';
import { boostingTree } from '../../../src/asr/decoding/fusion/phrases.js';
import {
  EncDecCTCModelBPE,
  EncDecHybridRNNTCTCBPEModel,
  EncDecRNNTBPEModel,
  type SpeechModel,
} from '../../../src/asr/index.js';
import { createReferenceEngine, type Engine } from '../../../src/engine/index.js';
import { AggregateTokenizer, CharTokenizer } from '../../../src/text/index.js';
import { tinyModel, toneSpeech } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-fusion-'));
afterAll(() => rmSync(folder, { recursive: true }));
const phraseFile = join(folder, 'phrases.txt');
writeFileSync(phraseFile, 'ca\n\n cb \r\n');
const emptyFile = join(folder, 'empty.txt');
writeFileSync(emptyFile, '\n\n');
const lmFile = join(folder, 'tokens.arpa');
writeFileSync(lmFile, '\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-0.1 a\n-3 <unk>\n\n\\end\\\n');

const ctcDecoder = {
  _target_: 'nemo.collections.asr.modules.ConvASRDecoder',
  feat_in: null,
  num_classes: -1,
};
const audio = [toneSpeech('ab', 1), toneSpeech('cab', 2)];

async function rnnt(engine: Engine, decoding: object): Promise<EncDecRNNTBPEModel> {
  const model = EncDecRNNTBPEModel.fromConfig(tinyModel({ decoding }), { seed: 5, engine });
  const bias = [...model.stateDict().values()].find((state) => state.name === 'joint.joint_net.1.bias')!;
  await engine.write(bias, Float32Array.of(0.45, 0.55, 0.3, 0.1, 0.6));
  return model;
}

/** Untrained, with so little blank that it says something. */
async function ctc(engine: Engine, decoding: object): Promise<EncDecCTCModelBPE> {
  const node = tinyModel({ decoder: ctcDecoder, joint: undefined, decoding });
  const model = EncDecCTCModelBPE.fromConfig(node, { seed: 5, engine });
  const bias = [...model.stateDict()].find(([name]) => name.endsWith('decoder_layers.0.bias'))![1];
  await engine.write(bias, Float32Array.of(0, 0, 0, 0, -0.6));
  return model;
}

async function texts(model: SpeechModel): Promise<string[]> {
  return (await model.transcribe(audio)).map(({ text }) => text);
}

/** How often the phrase is among the pairs of letters. */
const count = (found: readonly string[], phrase: string): number => found.join('|').split(phrase).length - 1;

const boosted = { boosting_tree: { key_phrases_list: ['ca'] }, boosting_tree_alpha: 3 };

describe('a transducer', () => {
  it.each([
    ['greedy_batch', 'greedy', {}],
    ['maes', 'beam', { beam_size: 3, maes_expansion_gamma: 9 }],
  ] as const)('%s boosts phrases of a list and of a file', async (strategy, section, keys) => {
    const model = await rnnt(createReferenceEngine(), { strategy, [section]: keys });
    const before = await texts(model);
    model.changeDecoding({ strategy, [section]: { ...keys, ...boosted } });
    const after = await texts(model);
    expect(count(after, 'ca')).toBeGreaterThan(count(before, 'ca'));
    model.changeDecoding({ strategy, [section]: { ...keys, ...boosted, boosting_tree_alpha: 0 } });
    expect(await texts(model)).toEqual(before);
    const boosting_tree = { key_phrases_file: phraseFile };
    model.changeDecoding({ strategy, [section]: { ...keys, boosting_tree, boosting_tree_alpha: 3 } });
    const both = await texts(model);
    expect(count(both, 'ca') + count(both, 'cb')).toBeGreaterThan(count(before, 'ca') + count(before, 'cb'));
  });

  it('greedy takes an n-gram model, for each utterance as if it were alone', async () => {
    const greedy = { ngram_lm_model: lmFile, ngram_lm_alpha: 3 };
    const model = await rnnt(createReferenceEngine(), { greedy });
    const found = await texts(model);
    expect([...found.join('')].every((letter) => letter === 'a')).toBe(true);
    expect(found.join('').length).toBeGreaterThan(0);
    expect((await model.transcribe([audio[1]]))[0].text).toBe(found[1]);
  });

  it.each([
    [{ greedy: { ...boosted, boosting_tree_alpha: null } }, /boosting_tree_alpha.*no weight/s],
    [{ strategy: 'beam', beam: boosted }, /beam boosts no phrases.*malsd_batch/s],
    [
      { greedy: { ...boosted, boosting_tree: { key_phrases_list: ['ab', 'axb'] } } },
      /greedy\.boosting_tree\.key_phrases_list.*cannot write "x" of the phrase "axb"/s,
    ],
    [{ greedy: { ...boosted, boosting_tree: { key_phrases_list: [''] } } }, /the phrase "" has no tokens/],
    [
      { greedy: { ...boosted, boosting_tree: { key_phrases_file: join(folder, 'none') } } },
      /cannot read the phrases of/,
    ],
    [{ greedy: { ...boosted, boosting_tree: { key_phrases_file: emptyFile } } }, /there are no phrases in/],
    [{ greedy: { ngram_lm_model: join(folder, 'none') } }, /greedy\.ngram_lm_model.*cannot read/s],
  ])('refuses %j', async (decoding, message) => {
    const model = await rnnt(createReferenceEngine(), decoding);
    await expect(texts(model)).rejects.toThrow(message);
  });

  it('with big blanks is not fused', async () => {
    const engine = createReferenceEngine();
    const jointnet = { joint_hidden: 16, activation: 'relu', dropout: 0 };
    const node = tinyModel({
      joint: { _target_: 'nemo.collections.asr.modules.RNNTJoint', num_extra_outputs: 1, jointnet },
      decoding: { big_blank_durations: [2], greedy: boosted },
      loss: { loss_name: 'multiblank_rnnt', multiblank_rnnt_kwargs: { big_blank_durations: [2] } },
    });
    const model = EncDecRNNTBPEModel.fromConfig(node, { seed: 5, engine });
    await expect(texts(model)).rejects.toThrow(/multi-blank models are not fused/);
  });
});

describe('CTC', () => {
  it.each([
    ['greedy_batch', 'greedy'],
    ['beam_batch', 'beam'],
    ['beam', 'beam'],
  ] as const)('%s boosts phrases', async (strategy, section) => {
    const model = await ctc(createReferenceEngine(), { strategy });
    const before = await texts(model);
    // So much that it is the first token, wherever the network puts that.
    const boosting_tree = { key_phrases_list: ['c'] };
    model.changeDecoding({ strategy, [section]: { boosting_tree, boosting_tree_alpha: 20 } });
    const after = await texts(model);
    expect(before.some((text) => text.startsWith('c'))).toBe(false);
    expect(after.every((text) => text.startsWith('c'))).toBe(true);
    expect((await model.transcribe([audio[1]]))[0].text).toBe(after[1]);
  });

  it('greedy with an n-gram model keeps its confidences', async () => {
    const model = await ctc(createReferenceEngine(), {});
    const before = await texts(model);
    const greedy = { ngram_lm_model: lmFile, ngram_lm_alpha: 5 };
    model.changeDecoding({ greedy, confidence_cfg: { preserve_token_confidence: true } });
    const after = await model.transcribe(audio);
    expect(after.map(({ text }) => text)).not.toEqual(before);
    for (const { text, tokens, confidence } of after) {
      expect(tokens.length).toBeGreaterThan(0);
      expect(confidence?.tokens?.length).toBe(tokens.length);
      // Where a token comes in, it is "a" or follows one.
      expect(text.replaceAll(/a[^a]?/g, '')).toBe('');
    }
  });

  it('a hybrid model boosts in the branch that decodes', async () => {
    const engine = createReferenceEngine();
    const node = tinyModel({ aux_ctc: { decoder: ctcDecoder } });
    const model = EncDecHybridRNNTCTCBPEModel.fromConfig(node, { seed: 5, engine });
    model.changeDecodingStrategy('ctc');
    const before = await texts(model);
    model.changeDecoding({ greedy: boosted });
    expect(count(await texts(model), 'ca')).toBeGreaterThan(count(before, 'ca'));
  });
});

describe('the boosting_tree section', () => {
  it('has all keys of NeMo’s', () => {
    const warnings: unknown[] = [];
    const defaults = {
      model_path: null,
      key_phrases_file: null,
      key_phrases_list: null,
      key_phrase_items_list: null,
      context_score: 1.0,
      depth_scaling: 2.0,
      unk_score: 0.0,
      final_eos_score: 1.0,
      score_per_phrase: 0.0,
      source_lang: 'en',
      use_triton: true,
      uniform_weights: false,
      use_bpe_dropout: false,
      num_of_transcriptions: 5,
      bpe_alpha: 0.3,
    };
    const { value, errors, warnings: said } = boostingTreeSchema.validate(defaults);
    expect([errors, said, warnings]).toEqual([[], [], []]);
    expect(value).toEqual(boostingTreeSchema.parse({}));
  });

  it.each([
    [{ key_phrases_list: [] }, /the list is empty/],
    [{ key_phrases_list: ['a'], key_phrases_file: 'b' }, /give one of them/],
    [{ model_path: 'tree.nemo' }, /not read/],
    [{ key_phrase_items_list: [{ lang: 'en' }] }, /phrase/],
  ])('refuses %j', (section, message) => {
    expect(() => boostingTreeSchema.parse(section)).toThrow(message);
  });

  it('knows languages', () => {
    const tokenizer = new AggregateTokenizer([
      ['en', new CharTokenizer(['a', 'b'])],
      ['de', new CharTokenizer(['b', 'c'])],
    ]);
    const tree = (section: object) => {
      const none = () => new Uint8Array();
      return boostingTree(boostingTreeSchema.parse(section), tokenizer, none, 'boosting_tree');
    };
    const firsts = (section: object): number[] => {
      const model = tree(section);
      return [0, 1, 2, 3].filter((token) => model.next(model.start(), token).score > 0);
    };
    expect(firsts({ key_phrases_list: ['b'] })).toEqual([1]);
    expect(firsts({ key_phrases_list: ['b'], source_lang: 'de' })).toEqual([2]);
    expect(
      firsts({
        key_phrases_list: ['a'],
        key_phrase_items_list: [{ phrase: 'c', lang: 'de' }, { phrase: 'b' }],
      }),
    ).toEqual([0, 1, 3]);
    expect(() => tree({ key_phrases_list: ['b'], source_lang: 'fr' })).toThrow(/language/);
  });
});
