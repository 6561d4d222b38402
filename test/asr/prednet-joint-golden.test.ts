import { describe, expect, it } from 'vitest';
import { RNNTDecoder, RNNTJoint } from '../../src/asr/index.js';
import { createReferenceEngine, float32, int32, tf } from '../../src/engine/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { maxDifference } from '../nn/support.js';
import { formula, type GoldenArray, golden, writeFormulaWeights } from './golden.js';

interface PrednetJointGolden {
  readonly V: number;
  readonly H: number;
  readonly J: number;
  readonly d: number;
  readonly pred_rnn_layers: number;
  readonly targets: number[][];
  readonly decoder_keys_sorted: readonly string[];
  readonly joint_keys_sorted: readonly string[];
  readonly shapes: Readonly<Record<string, number[]>>;
  readonly decoder_output_BHU: GoldenArray;
  readonly joint_logits: GoldenArray;
}

describe.each(['prednet_joint_main', 'prednet_joint_v1'])('%s', (name) => {
  const file = golden<PrednetJointGolden>(name);
  const decoder = new RNNTDecoder({
    vocab_size: file.V,
    prednet: { pred_hidden: file.H, pred_rnn_layers: file.pred_rnn_layers, dropout: 0.1 },
  });
  const joint = new RNNTJoint({
    num_classes: file.V,
    jointnet: {
      encoder_hidden: file.d,
      pred_hidden: file.H,
      joint_hidden: file.J,
      activation: 'relu',
      dropout: 0.1,
    },
  });

  it('has the parameter names and shapes of NeMo', () => {
    const keys = (module: RNNTDecoder | RNNTJoint): string[] => [...module.stateDict().keys()].sort();
    expect(keys(decoder)).toEqual([...file.decoder_keys_sorted].sort());
    expect(keys(joint)).toEqual([...file.joint_keys_sorted].sort());
    for (const [key, state] of [...decoder.stateDict(), ...joint.stateDict()]) {
      expect([key, state.shape]).toEqual([key, file.shapes[key]]);
    }
  });

  it('computes what NeMo computes', async () => {
    const engine = createReferenceEngine();
    await writeFormulaWeights(engine, decoder, file.decoder_keys_sorted);
    await writeFormulaWeights(engine, joint, file.joint_keys_sorted);
    const program = engine.compile('joint', ({ encoded, targets }) => {
      const prediction = decoder.forward(targets, evaluationPass);
      const f = joint.projectEncoder(tf.transpose(encoded, [0, 2, 1]));
      const g = joint.projectPrediction(prediction);
      const logits = joint.logits(tf.expandDims(f, 2), tf.expandDims(g, 1));
      return { prediction: tf.transpose(prediction, [0, 2, 1]), logits };
    });
    const out = await program.run({
      encoded: float32(
        formula(2 * 16 * 5, (i) => Math.sin(0.41 * i + 0.1)),
        [2, 16, 5],
      ),
      targets: int32(file.targets.flat(), [2, 4]),
    });
    expect(maxDifference(out['prediction'].data, file.decoder_output_BHU.data)).toBeLessThan(1e-6);
    expect(maxDifference(out['logits'].data, file.joint_logits.data)).toBeLessThan(1e-5);
  });
});
