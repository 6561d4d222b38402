// Stages that would not fit into memory.
import { afterAll, describe, expect, it } from 'vitest';
import { EncDecRNNTBPEModel, stagesOf } from '../../../src/asr/index.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { tinyModel, toneSpeech } from '../support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

describe('stages of frames times tokens times vocabulary', () => {
  it('are left out above a bound, and named with their size; the rest is there', async () => {
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel(), { seed: 1, engine });
    const short = await stagesOf(model, engine, toneSpeech('a', 1), 'b');
    expect([...short.tensors.keys()]).toContain('joint.outputs');
    expect(short.leftOut).toEqual([]);
    const { tensors, leftOut } = await stagesOf(
      model,
      engine,
      toneSpeech('a', 1),
      'b'.repeat(99),
      undefined,
      2 ** 11,
    );
    expect(leftOut).toEqual([expect.stringMatching(/^joint\.outputs \[1,8,100,5\] would take 0\.0 GiB$/)]);
    expect([...tensors.keys()]).toEqual(expect.arrayContaining(['decoder.outputs', 'loss.rnnt']));
    expect([...tensors.keys()]).not.toContain('joint.outputs');
  });
});
