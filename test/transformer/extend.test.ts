// A decoder that goes on from what its layers have read against the pass over the whole sequence, in the forms that
// NeMo's archive in test/fixtures does not have.
import { afterAll, expect, it } from 'vitest';
import { float32, int32, OnnxEngine, sizeOf, tf } from '../../src/engine/index.js';
import { evaluationPass, frameMask } from '../../src/nn/index.js';
import { TransformerDecoder } from '../../src/transformer/transformer-decoder.js';
import { maxDifference, randomTensor } from '../nn/support.js';
import { decoderConfig } from './support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

it.each([
  ['normalised after each block, learned positions', { pre_ln: false, learn_positional_encodings: true }],
  ['normalised before each block, not at the end', { pre_ln: true, pre_ln_final_layer_norm: false }],
  ['one layer, gelu', { pre_ln: true, num_layers: 1, hidden_act: 'gelu' }],
] as const)('%s', async (_name, changes) => {
  const decoder = new TransformerDecoder({ ...decoderConfig, ...changes });
  let seed = 1;
  for (const state of decoder.stateDict().values()) {
    await engine.write(state, randomTensor([sizeOf(state.shape)], seed++, 0.5).data as Float32Array);
  }
  const program = engine.compile('extend', ({ tokens, lengths, states, frames, past }) => {
    const valid = frameMask(frames, states.shape[1] as number);
    const inputs = { states, valid };
    const part = (from: number, count: number) => tf.slice(tokens, [0, from], [2, count]);
    const first = decoder.extend({ ...inputs, tokens: part(0, 4), past }, evaluationPass);
    const second = decoder.extend({ ...inputs, tokens: part(4, 1), past: first.seen }, evaluationPass);
    const third = decoder.extend({ ...inputs, tokens: part(5, 2), past: second.seen }, evaluationPass);
    return {
      whole: decoder.forward(tokens, lengths, { states, lengths: frames }, evaluationPass),
      parts: tf.concat([first.hidden, second.hidden, third.hidden], 1),
    };
  });
  const { whole, parts } = await program.run({
    tokens: int32([1, 5, 2, 7, 3, 6, 9, 8, 4, 4, 0, 1, 2, 5], [2, 7]),
    lengths: int32([7, 7], [2]),
    states: randomTensor([2, 5, 8], 90),
    frames: int32([5, 3], [2]),
    past: float32(new Float32Array(0), [decoder.layers, 2, 0, 8]),
  });
  expect(parts.shape).toEqual([2, 7, 8]);
  expect(maxDifference(parts.data, whole.data)).toBeLessThan(1e-5);
});
