// Encoders with local attention as ONNX files: the file looks at all frames under a band, the model at blocks, and both
// give the same at lengths that were not traced, shorter than a block or than the global frames reach included.
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { encoderSubnet } from '../../../src/asr/export/subnets.js';
import { EncDecCTCModel } from '../../../src/asr/index.js';
import { exportProgram, float32, int32, OnnxEngine } from '../../../src/engine/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';
import { tinyModel } from '../support.js';

const encoderSection = {
  ...(tinyModel() as unknown as { encoder: object }).encoder,
  self_attention_model: 'rel_pos_local_attn',
  att_context_size: [6, 6],
};

it.each([
  ['one global frame', { global_tokens: 1 }],
  ['several, side by side', { global_tokens: 3 }],
  ['several, apart', { global_tokens: 4, global_tokens_spacing: 3 }],
  ['projections of their own', { global_tokens: 2, global_tokens_spacing: 5, global_attn_separate: true }],
  ['no global frame, unequal contexts', { att_context_size: [7, 3] }],
  [
    'global frames, unequal contexts',
    { att_context_size: [2, 9], global_tokens: 2, global_tokens_spacing: 2 },
  ],
])('%s', async (_name, changes) => {
  const engine = new OnnxEngine({ threads: 1 });
  const decoder = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
  const encoder = { ...encoderSection, ...changes };
  const model = EncDecCTCModel.fromConfig(tinyModel({ encoder, decoder, joint: undefined }), { engine });
  const { spec } = encoderSubnet({ encoder: model.encoder, features: 16, maxFrames: 300 });
  const session = await ort.InferenceSession.create(
    await exportProgram({ ...spec, read: engine.read.bind(engine) }),
    { intraOpNumThreads: 1, logSeverityLevel: 3 },
  );
  const program = engine.compile('blocks', spec.fn);
  for (const lengths of [[3], [9], [29, 52], [64, 200, 131], [1111]]) {
    const [batch, time] = [lengths.length, Math.max(...lengths)];
    const { data } = randomTensor([batch, 16, time], time);
    const signal = data as Float32Array;
    const expected = await program.run({
      audio_signal: float32(signal, [batch, 16, time]),
      length: int32(lengths, [batch]),
    });
    const found = await session.run({
      audio_signal: new ort.Tensor('float32', signal, [batch, 16, time]),
      length: new ort.Tensor('int64', BigInt64Array.from(lengths, BigInt), [batch]),
    });
    expect(found['outputs'].dims).toEqual(expected['outputs'].shape);
    const worst = maxDifference(found['outputs'].data as Float32Array, expected['outputs'].data);
    expect({ lengths, worst, close: worst < 2e-5 }).toMatchObject({ close: true });
  }
  await session.release();
  await engine.dispose();
});
