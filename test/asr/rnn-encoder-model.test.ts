// A transducer of LSTMs as a whole: projected outputs in encoder and prediction network, exported to ONNX with the check
// that export does itself, and through an archive.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { EncDecRNNTModel, restoreModel } from '../../src/asr/index.js';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { randomTensor } from '../nn/support.js';
import { tinyModel } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-rnn-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recurrent = {
  encoder: {
    _target_: 'nemo.collections.asr.modules.RNNEncoder',
    feat_in: 16,
    n_layers: 2,
    d_model: 12,
    proj_size: 8,
    subsampling: 'stacking',
    dropout: 0.2,
  },
  decoder: {
    _target_: 'nemo.collections.asr.modules.RNNTDecoder',
    prednet: { pred_hidden: 16, pred_rnn_layers: 2, rnn_hidden_size: 20, dropout: 0.2 },
  },
};

it.each([true, false])('is exported for any length, bidirectional %s', async (bidirectional) => {
  const engine = new OnnxEngine({ threads: 1 });
  const config = tinyModel({ ...recurrent, encoder: { ...recurrent.encoder, bidirectional } });
  const model = EncDecRNNTModel.fromConfig(config, { engine, seed: 5 });
  // Throws when a file computes something else than the model.
  const files = await model.export(join(folder, `m${bidirectional}.onnx`), { maxFrames: 300 });
  expect(files).toHaveLength(2);
  await engine.dispose();
});

it('comes back from an archive', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const model = EncDecRNNTModel.fromConfig(tinyModel(recurrent), { engine, seed: 5 });
  const file = join(process.env['KEEP_ARCHIVE'] ?? folder, 'lstm.nemo');
  await model.saveTo(file);
  const restored = (await restoreModel(file, { engine })) as EncDecRNNTModel;
  const [a, b] = [model, restored].map((m) => [...m.stateDict()].map(([key, { shape }]) => [key, shape]));
  expect(b).toEqual(a);
  const inputs = { features: randomTensor([1, 90, 16], 3), featureLengths: int32([90], [1]) };
  const said = await Promise.all([model, restored].map((m) => m.recognizer(engine).recognize(inputs, false)));
  expect(said[1].hypotheses[0].tokens).toEqual(said[0].hypotheses[0].tokens);
  await engine.dispose();
});
