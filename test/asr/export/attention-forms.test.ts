// Decoders and what may stand before them, in forms that attention-decoder.test.ts does not have: their files pass the
// check that runs them beside the code they were made of (which test/transformer compares with whole passes).
import { afterAll, expect, it } from 'vitest';
import { attentionDecoderSubnet, memoryOutput } from '../../../src/asr/export/attention-decoder.js';
import { encoderSubnet } from '../../../src/asr/export/subnets.js';
import { EncDecCTCModel } from '../../../src/asr/index.js';
import { checkExport, exportProgram, OnnxEngine } from '../../../src/engine/index.js';
import { evaluationPass } from '../../../src/nn/index.js';
import { TokenClassifier } from '../../../src/transformer/token-classifier.js';
import { TransformerDecoder } from '../../../src/transformer/transformer-decoder.js';
import { TransformerEncoder } from '../../../src/transformer/transformer-encoder.js';
import { decoderConfig } from '../../transformer/support.js';
import { tinyModel } from '../support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());
const read = engine.read.bind(engine);

it.each([
  ['normalised after each block, learned positions', { pre_ln: false, learn_positional_encodings: true }],
  [
    'one layer, gelu, positions for four tokens',
    { num_layers: 1, hidden_act: 'gelu', max_sequence_length: 4 },
  ],
] as const)('%s', async (_name, changes) => {
  const decoder = new TransformerDecoder({ ...decoderConfig, ...changes });
  const sizes = { hidden_size: 8, num_classes: 16, dropout: 0.1 };
  const head = new TokenClassifier(sizes);
  head.shareEmbedding(decoder.embedding.tokens.weight);
  const { spec, samples } = attentionDecoderSubnet(decoder, head);
  expect(samples.length).toBeGreaterThan(0);
  const full = { ...spec, read };
  await checkExport(await exportProgram(full), full, engine, samples);
});

it('a Transformer encoder that looks back only', async () => {
  const between = new TransformerEncoder({ ...decoderConfig, hidden_size: 16, mask_future: true });
  const decoder = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
  const { encoder } = EncDecCTCModel.fromConfig(tinyModel({ decoder, joint: undefined }), { engine });
  const output = memoryOutput(({ encoded, lengths }) => ({
    states: between.forward(encoded, lengths, evaluationPass),
    lengths,
  }));
  const { spec, samples } = encoderSubnet({ encoder, features: 16, maxFrames: 100, output });
  const full = { ...spec, read };
  await checkExport(await exportProgram(full), full, engine, samples);
});
