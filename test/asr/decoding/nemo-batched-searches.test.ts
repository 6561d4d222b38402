// malsd_batch and maes_batch on small networks against NeMo's own classes (golden/scripts/nemo_batched_beams.py).
import { describe, expect, it } from 'vitest';
import { BeamTransducer } from '../../../src/asr/decoding/beam/beam-transducer.js';
import { decodingSchema } from '../../../src/asr/decoding/config.js';
import { TokenFusion } from '../../../src/asr/decoding/fusion/token-fusion.js';
import { TokenNgram } from '../../../src/asr/decoding/lm/token-ngram.js';
import {
  HATJoint,
  parseArpa,
  RNNTDecoder,
  RNNTJoint,
  type TransducerVariant,
} from '../../../src/asr/index.js';
import { createReferenceEngine, type Engine } from '../../../src/engine/index.js';
import { golden } from '../golden.js';
import { projected, writeWeights } from './golden-network.js';

interface Entry {
  readonly kind: 'rnnt' | 'hat' | 'tdt';
  readonly decoder_keys: string[];
  readonly joint_keys: string[];
  readonly blank_bias: number;
  readonly beam: {
    strategy: 'malsd_batch' | 'maes_batch';
    args: Readonly<Record<string, number | boolean | string | null>>;
    nbest: { tokens: number[]; timestamp: number[]; score: number }[][];
  }[];
}

const file = golden<{
  V: number;
  H: number;
  J: number;
  D: number;
  T: number;
  lengths: number[];
  durations: number[];
  scale: number;
  alpha: number;
  arpa: string;
  entries: Entry[];
}>('batched_beams');
const { V, H, J, D } = file;

async function network(engine: Engine, entry: Entry) {
  const tdt = entry.kind === 'tdt';
  const variant: TransducerVariant = tdt ? { kind: 'tdt', durations: file.durations } : { kind: 'rnnt' };
  const prednet = { pred_hidden: H, pred_rnn_layers: 2, dropout: 0 };
  const decoder = new RNNTDecoder({ vocab_size: V, prednet });
  const config = {
    num_classes: V,
    num_extra_outputs: tdt ? file.durations.length : 0,
    jointnet: { encoder_hidden: D, pred_hidden: H, joint_hidden: J, activation: 'tanh', dropout: 0 },
  } as const;
  const joint = entry.kind === 'hat' ? new HATJoint(config) : new RNNTJoint(config);
  const blankBias = entry.kind === 'hat' ? 'blank_pred.2.bias' : 'joint_net.1.bias';
  await writeWeights(engine, decoder, entry.decoder_keys, file.scale);
  await writeWeights(engine, joint, entry.joint_keys, file.scale, (key, i) =>
    key === blankBias && (entry.kind === 'hat' || i === V) ? entry.blank_bias : 0,
  );
  return { decoder, joint, variant };
}

function languageModel(): TokenFusion {
  const words = Array.from({ length: V }, (_, id) => String.fromCodePoint(id + 100));
  const model = new TokenNgram(parseArpa(new TextEncoder().encode(file.arpa), 'golden'), words, true);
  return new TokenFusion([{ model, weight: file.alpha }], V);
}

describe.each(file.entries.map((entry) => [entry.kind, entry] as const))('%s', (_name, entry) => {
  it.each(entry.beam.map((beam) => [`${beam.strategy} ${JSON.stringify(beam.args)}`, beam] as const))(
    '%s',
    async (_name, { strategy, args, nbest }) => {
      const engine = createReferenceEngine();
      const net = await network(engine, entry);
      const input = await projected(engine, net.joint, file);
      const { lm, ...keys } = args;
      const { beam } = decodingSchema.parse({ beam: { ...keys, return_best_hypothesis: false } });
      const found = await new BeamTransducer(engine, net, {
        strategy,
        beam,
        ...(lm && { fusion: { tokens: languageModel(), internalWeight: 0 }, fusionWeight: file.alpha }),
      }).decode(input);
      for (const [b, { alternatives = [] }] of found.entries()) {
        expect(alternatives.map(({ tokens }) => tokens)).toEqual(nbest[b].map(({ tokens }) => tokens));
        for (const [i, { score, frames, durations }] of alternatives.entries()) {
          expect(score).toBeCloseTo(nbest[b][i].score, 4);
          // NeMo's timestamps of TDT beams are where tokens end.
          expect(frames.map((frame, k) => frame + (durations?.[k] ?? 0))).toEqual(nbest[b][i].timestamp);
        }
      }
    },
  );
});
