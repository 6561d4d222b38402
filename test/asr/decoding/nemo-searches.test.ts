// Greedy and beam searches on small networks against NeMo's own classes (golden/scripts/decoding.py).
import { describe, expect, it } from 'vitest';
import { BeamTransducer } from '../../../src/asr/decoding/beam/beam-transducer.js';
import type { Fusion } from '../../../src/asr/decoding/beam/language-model.js';
import { decodingSchema } from '../../../src/asr/decoding/config.js';
import { TokenFusion } from '../../../src/asr/decoding/fusion/token-fusion.js';
import { GreedyTransducer } from '../../../src/asr/decoding/greedy-transducer.js';
import { TokenNgram } from '../../../src/asr/decoding/lm/token-ngram.js';
import {
  HATJoint,
  outputLayout,
  parseArpa,
  RNNTDecoder,
  RNNTJoint,
  StatelessTransducerDecoder,
  type TransducerVariant,
} from '../../../src/asr/index.js';
import { createReferenceEngine, type Engine } from '../../../src/engine/index.js';
import type { Hypothesis } from '../../../src/generation/hypothesis.js';
import { golden } from '../golden.js';
import { projected, writeWeights } from './golden-network.js';

interface NemoHypothesis {
  readonly tokens: number[];
  readonly timestamp: number[];
  readonly score: number;
  readonly durations?: number[];
}

type BeamArguments = Readonly<Record<string, number | boolean | string>>;

interface Entry {
  readonly prednet: 'lstm' | 'stateless';
  readonly kind: 'rnnt' | 'hat' | 'multiblank' | 'tdt';
  readonly decoder_keys: string[];
  readonly joint_keys: string[];
  readonly blank_bias: number;
  readonly greedy: Readonly<Record<string, NemoHypothesis[]>>;
  readonly beam: {
    search: string;
    args: Readonly<Record<string, number | boolean>>;
    nbest: NemoHypothesis[][];
  }[];
}

interface Searches {
  readonly V: number;
  readonly H: number;
  readonly J: number;
  readonly D: number;
  readonly T: number;
  readonly lengths: number[];
  readonly durations: readonly number[];
  readonly big_blanks: number[];
  readonly scale: number;
  readonly arpa: string;
  readonly entries: Entry[];
}

const { searches: file } = golden<{ searches: Searches }>('decoding_nemo');
const { V, H, J, D } = file;

/** TDT whose durations leave out 0 or 1 (golden/scripts/nemo_skipping_durations.py). */
const skipping = golden<{ searches: Searches[] }>('skipping_durations').searches;
const entries = [file, ...skipping].flatMap(({ durations, entries }) =>
  entries.map((entry) => ({ ...entry, durations })),
);
type SearchEntry = (typeof entries)[number];

function variantOf({ kind, durations }: SearchEntry): TransducerVariant {
  if (kind === 'tdt') return { kind, durations };
  if (kind === 'multiblank') return { kind, durations: file.big_blanks };
  return { kind: 'rnnt' };
}

async function network(engine: Engine, entry: SearchEntry) {
  const variant = variantOf(entry);
  const prednet = { pred_hidden: H, pred_rnn_layers: 2, dropout: 0 };
  const decoder =
    entry.prednet === 'lstm'
      ? new RNNTDecoder({ vocab_size: V, prednet })
      : new StatelessTransducerDecoder({
          vocab_size: V,
          context_size: 3,
          normalization_mode: 'layer',
          prednet,
        });
  const { blank, tokens, durations } = outputLayout(variant, V);
  const config = {
    num_classes: V,
    num_extra_outputs: tokens + durations - V - 1,
    jointnet: { encoder_hidden: D, pred_hidden: H, joint_hidden: J, activation: 'tanh', dropout: 0 },
  } as const;
  const joint = entry.kind === 'hat' ? new HATJoint(config) : new RNNTJoint(config);
  await writeWeights(engine, decoder, entry.decoder_keys, file.scale);
  await writeWeights(engine, joint, entry.joint_keys, file.scale, (key, i) => {
    const isBlank = key === 'blank_pred.2.bias' || (key === 'joint_net.1.bias' && i === blank);
    return isBlank && (entry.kind === 'hat') === (key === 'blank_pred.2.bias') ? entry.blank_bias : 0;
  });
  return { decoder, joint, variant };
}

const optionNames: Readonly<Record<string, string>> = { tsd_max_sym_exp_per_step: 'tsd_max_sym_exp' };

function beamConfig(args: BeamArguments) {
  const beam = Object.entries(args).map(([name, value]) => {
    if (name !== 'alsd_max_target_len') return [optionNames[name] ?? name, value];
    return [name, Number.isInteger(value) ? { tokens: value } : { perFrame: value }];
  });
  const section = { beam: { ...Object.fromEntries(beam), return_best_hypothesis: false } };
  return decodingSchema.parse(section).beam;
}

/** The language model whose scores NeMo was given. */
function fusionOf(args: BeamArguments): Fusion | undefined {
  if (!args['ngram_lm_model']) return undefined;
  const words = Array.from({ length: V }, (_, id) => String(id));
  const model = new TokenNgram(parseArpa(new TextEncoder().encode(file.arpa), 'golden'), words);
  return {
    tokens: new TokenFusion([{ model, weight: args['ngram_lm_alpha'] as number }], V),
    internalWeight: (args['hat_ilm_weight'] as number | undefined) ?? 0,
  };
}

const nameOf = ({ kind, prednet, durations }: SearchEntry) =>
  `${kind}${kind === 'tdt' ? ` of ${durations}` : ''}, ${prednet}`;

describe.each(entries.map((entry) => [nameOf(entry), entry] as const))('%s', (_name, entry) => {
  it('greedy', async () => {
    const engine = createReferenceEngine();
    const net = await network(engine, entry);
    const input = await projected(engine, net.joint, file);
    const found = await new GreedyTransducer(engine, net, { maxSymbols: 3, window: 3 }).decode(input);
    // NeMo's single-utterance TDT search skips a frame more after `max_symbols`; its batched one does not.
    const expected = entry.greedy['greedy_batch'] ?? entry.greedy['greedy'];
    expect(found.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
    expect(found.map(({ frames }) => frames)).toEqual(expected.map(({ timestamp }) => timestamp));
    if (entry.kind === 'tdt') {
      expect(found.map(({ durations }) => durations)).toEqual(expected.map(({ durations }) => durations));
    }
    expect(expected.some(({ tokens }) => tokens.length > 1)).toBe(true);
  });

  it.each(entry.beam.map((beam) => [`${beam.search} ${JSON.stringify(beam.args)}`, beam] as const))(
    '%s',
    async (_name, { search, args, nbest }) => {
      const engine = createReferenceEngine();
      const net = await network(engine, entry);
      const input = await projected(engine, net.joint, file);
      const strategy = search === 'default' ? 'beam' : (search as 'tsd' | 'alsd' | 'maes');
      const found = await new BeamTransducer(engine, net, {
        strategy,
        beam: beamConfig(args),
        fusion: fusionOf(args),
      }).decode(input);
      for (const [b, { alternatives = [] }] of found.entries()) {
        expect(alternatives.map(({ tokens }) => tokens)).toEqual(
          // NeMo 2.4 has the blank in front.
          nbest[b].map(({ tokens }) => (entry.durations === file.durations ? tokens.slice(1) : tokens)),
        );
        for (const [i, { score }] of alternatives.entries()) {
          expect(score).toBeCloseTo(nbest[b][i].score, 3);
        }
        // NeMo's alsd gives steps of the search for timestamps.
        if (strategy === 'alsd') continue;
        expect(alternatives.map(ends)).toEqual(nbest[b].map(({ timestamp }) => timestamp));
      }
    },
  );
});

/** NeMo's timestamps of TDT beams are where tokens end. */
function ends({ frames, durations }: Hypothesis): number[] {
  return frames.map((frame, i) => frame + (durations?.[i] ?? 0));
}
