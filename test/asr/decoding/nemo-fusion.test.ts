// Boosting trees, n-gram models and the searches fused with them against NeMo's own classes
// (golden/scripts/nemo_fusion.py).
import { describe, expect, it } from 'vitest';
import { ctcBatchedBeamSearch } from '../../../src/asr/decoding/ctc-batched-beam.js';
import { boostingTreeSchema } from '../../../src/asr/decoding/fusion/config.js';
import { boostingTree } from '../../../src/asr/decoding/fusion/phrases.js';
import { TokenFusion } from '../../../src/asr/decoding/fusion/token-fusion.js';
import { greedyCtc } from '../../../src/asr/decoding/greedy-ctc.js';
import { fusedCtcPath, fusedCtcStart } from '../../../src/asr/decoding/greedy-ctc-fused.js';
import { GreedyTransducer, type ProjectedFrames } from '../../../src/asr/decoding/greedy-transducer.js';
import type { TokenModel } from '../../../src/asr/decoding/lm/token-model.js';
import { TokenNgram } from '../../../src/asr/decoding/lm/token-ngram.js';
import { parseArpa, RNNTDecoder, RNNTJoint, type TransducerVariant } from '../../../src/asr/index.js';
import { createReferenceEngine, type Engine, float32, tf } from '../../../src/engine/index.js';
import { CharTokenizer } from '../../../src/text/index.js';
import { formula, golden, writeFormulaWeights } from '../golden.js';

interface Walk {
  readonly tokens: number[];
  readonly scores: number[][];
  readonly end: number;
}

interface Found {
  readonly tokens: number[];
  readonly timestamp: number[];
}

const file = golden<{
  V: number;
  H: number;
  J: number;
  D: number;
  T: number;
  lengths: number[];
  durations: number[];
  trees: { name: string; config: Record<string, unknown>; walks: Walk[] }[];
  ngrams: { name: string; arpa: string; walks: Walk[] }[];
  fusions: Record<string, { ngram?: [string, number]; tree?: [string, number] }>;
  logProbs: number[];
  ctcGreedy: { fusion: string; hypotheses: { labels: number[]; score: number }[] }[];
  ctcBeam: {
    fusion: string;
    args: { beam_size: number; beam_beta: number; beam_threshold?: number };
    nbest: (Found & { score: number })[][];
  }[];
  transducers: {
    kind: 'rnnt' | 'tdt';
    decoder_keys: string[];
    joint_keys: string[];
    greedy: { fusion: string; hypotheses: (Found & { durations?: number[]; path_score: number })[] }[];
  }[];
}>('fusion_nemo');
const { V, H, J, D, T, lengths } = file;
const classes = V + 1;
const letters = new CharTokenizer([...'abcdefgh']);

function tree(name: string): TokenModel {
  const config = boostingTreeSchema.parse(file.trees.find((one) => one.name === name)?.config);
  return boostingTree(config, letters, () => new Uint8Array(), 'boosting_tree');
}

function ngram(name: string): TokenModel {
  const arpa = file.ngrams.find((one) => one.name === name)?.arpa ?? '';
  const model = parseArpa(new TextEncoder().encode(arpa), name);
  const words = Array.from({ length: V }, (_, id) => String.fromCodePoint(id + 100));
  return new TokenNgram(model, words, true);
}

function fusionOf(name: string): TokenFusion | undefined {
  const { ngram: lm, tree: phrases } = file.fusions[name];
  const models = [
    ...(lm ? [{ model: ngram(lm[0]), weight: lm[1] }] : []),
    ...(phrases ? [{ model: tree(phrases[0]), weight: phrases[1] }] : []),
  ];
  return models.length > 0 ? new TokenFusion(models, V) : undefined;
}

function expectWalk(model: TokenModel, { tokens, scores }: Walk): unknown {
  let state = model.start();
  scores.forEach((row, i) => {
    row.forEach((score, token) => {
      expect(model.next(state, token).score, `${tokens.slice(0, i)} + ${token}`).toBeCloseTo(score, 4);
    });
    if (i < tokens.length) state = model.next(state, tokens[i]).state;
  });
  return state;
}

it.each(file.trees)('boosting tree: $name', ({ name, walks }) => {
  for (const walk of walks) expectWalk(tree(name), walk);
});

it.each(file.ngrams)('n-gram model: $name', ({ name, walks }) => {
  const model = ngram(name);
  for (const walk of walks) expect(model.end(expectWalk(model, walk))).toBeCloseTo(walk.end, 4);
});

describe('CTC', () => {
  const rows = Float32Array.from(file.logProbs);
  const size = T * classes;

  it.each(file.ctcGreedy.filter(({ fusion }) => fusion !== 'none'))(
    'greedy with $fusion',
    ({ fusion: name, hypotheses }) => {
      const plain = file.ctcGreedy[0].hypotheses;
      expect(hypotheses.map(({ labels }) => labels)).not.toEqual(plain.map(({ labels }) => labels));
      const fusion = fusionOf(name) as TokenFusion;
      hypotheses.forEach(({ labels, score }, b) => {
        const own = rows.subarray(b * size, b * size + lengths[b] * classes);
        const path = fusedCtcPath(fusedCtcStart(fusion, V), own, V);
        expect([...path.best]).toEqual(labels);
        const shape = { frames: lengths[b], lengths: [lengths[b]], blank: V };
        expect(greedyCtc({ ...path, ...shape })[0].score).toBeCloseTo(score, 3);
      });
    },
  );

  it('greedy goes on where it stopped', () => {
    const fusion = fusionOf('both') as TokenFusion;
    const whole = fusedCtcPath(fusedCtcStart(fusion, V), rows.subarray(0, size), V);
    const cursor = fusedCtcStart(fusion, V);
    const parts = [0, 5, 6, T - 1].map((from, i, all) => {
      const to = all[i + 1] ?? T;
      return [...fusedCtcPath(cursor, rows.subarray(from * classes, to * classes), V).best];
    });
    expect(parts.flat()).toEqual([...whole.best]);
  });

  it.each(file.ctcBeam)('beam_batch with $fusion, $args', ({ fusion, args, nbest }) => {
    const options = {
      beamSize: args.beam_size,
      beta: args.beam_beta,
      threshold: args.beam_threshold ?? 20,
      fusion: fusionOf(fusion),
    };
    nbest.forEach((expected, b) => {
      const frames = { logProbabilities: rows, offset: b * size, classes, length: lengths[b] };
      const found = ctcBatchedBeamSearch(frames, options);
      expect(found.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
      expect(found.map(({ frames }) => frames)).toEqual(expected.map(({ timestamp }) => timestamp));
      found.forEach(({ score }, i) => {
        expect(score).toBeCloseTo(expected[i].score, 3);
      });
    });
  });
});

async function projected(engine: Engine, joint: RNNTJoint): Promise<ProjectedFrames> {
  const values = formula(3 * D * T, (i) => 15 * Math.sin(0.0117 * i * i + 1));
  const { out } = await engine
    .compile('encode', ({ x }) => ({ out: joint.projectEncoder(tf.transpose(x, [0, 2, 1])) }))
    .run({ x: float32(values, [3, D, T]) });
  return { data: out.data as Float32Array, shape: out.shape, lengths };
}

describe.each(file.transducers)('greedy $kind', ({ kind, decoder_keys, joint_keys, greedy }) => {
  it.each(greedy)('with $fusion', async ({ fusion, hypotheses }) => {
    const engine = createReferenceEngine();
    const variant: TransducerVariant =
      kind === 'tdt' ? { kind, durations: file.durations } : { kind: 'rnnt' };
    const prednet = { pred_hidden: H, pred_rnn_layers: 1, dropout: 0 };
    const decoder = new RNNTDecoder({ vocab_size: V, prednet });
    const jointnet = { encoder_hidden: D, pred_hidden: H, joint_hidden: J, activation: 'tanh', dropout: 0 } as const; // biome-ignore format: one line reads better
    const extra = kind === 'tdt' ? file.durations.length : 0;
    const joint = new RNNTJoint({ num_classes: V, num_extra_outputs: extra, jointnet });
    await writeFormulaWeights(engine, decoder, decoder_keys);
    await writeFormulaWeights(engine, joint, joint_keys);
    const options = { maxSymbols: 3, window: 4, fusion: fusionOf(fusion) };
    const search = new GreedyTransducer(engine, { decoder, joint, variant }, options);
    const found = await search.decode(await projected(engine, joint));
    expect(found.map(({ tokens }) => tokens)).toEqual(hypotheses.map(({ tokens }) => tokens));
    expect(found.map(({ frames }) => frames)).toEqual(hypotheses.map(({ timestamp }) => timestamp));
    expect(found.map(({ durations }) => durations)).toEqual(hypotheses.map(({ durations }) => durations));
    found.forEach(({ score }, b) => {
      expect(score).toBeCloseTo(hypotheses[b].path_score, 2);
    });
  });
});
