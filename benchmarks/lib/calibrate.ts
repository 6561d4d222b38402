// Untrained transducers emit nothing, or a token at every frame. Decoding is timed at a share that speech would have.
import type { EncDecRNNTModel } from '../../src/asr/index.js';
import type { Engine } from '../../src/engine/index.js';

const STEPS = 12;

/** Tokens emitted by the greedy search in some audio, as a share of the encoder's frames. */
export type TokenShare = () => Promise<number>;

/** Sets the bias of blank so that about this share of the frames emits a token. */
export async function calibrateBlank(
  engine: Engine,
  { joint, decoder }: Pick<EncDecRNNTModel, 'joint' | 'decoder'>,
  wanted: number,
  share: TokenShare,
): Promise<void> {
  const blank = decoder.vocabulary;
  const bias = [...joint.parameters()].find(({ shape }) => shape.length === 1 && shape[0] === blank + 1);
  if (!bias) throw new Error('the joint has no output bias');
  const value = bias.initialValue();
  let [low, high] = [-10, 10];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    value[blank] = middle;
    await engine.write(bias, value);
    if ((await share()) > wanted) low = middle;
    else high = middle;
  }
}
