// One rank's part of a batch through a batch norm that takes all parts together: batch-norm-rank.ts FOLDER
import { writeFileSync } from 'node:fs';
import { joinWorld } from '../../../src/distributed/index.js';
import {
  float32,
  hostCall,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../../src/engine/index.js';
import { BatchNorm, type Extent, type Pass, trainingPass } from '../../../src/nn/index.js';
import { CHANNELS, ITEMS, partOf } from '../batch-norm-parts.js';

const [folder] = process.argv.slice(2);
const { communicator, rank } = joinWorld({ timeoutSeconds: 60 });
const sumOverRanks: NonNullable<Pass['sumOverRanks']> = (x, label) =>
  hostCall(
    label,
    ([{ data }]) => {
      const sum = float32(data.slice() as Float32Array, x.shape);
      communicator.allReduce(sum, 'sum', label);
      return [sum];
    },
    [x],
    [{ dtype: 'float32', shape: x.shape }],
  )[0];

const engine = new OnnxEngine({ threads: 1 });
for (const isMasked of [false, true]) {
  const norm = new BatchNorm(CHANNELS);
  const { x, dy, length, frames } = partOf(rank, isMasked);
  const program = engine.compile(`norm-${isMasked}`, ({ x, dy, frames, mask, rowShare }) => {
    const extent: Extent = { frames, mask, share: mask, rowShare };
    const pass: Pass = { ...trainingPass, sumOverRanks, ...(isMasked && { extent }) };
    const loss = (given: Tensor) => tf.sum(tf.mul(norm.forward(given, pass), dy)) as tf.Scalar;
    const [dx] = tf.grads(loss)([x]);
    const { grads } = valueAndGrads(() => loss(x), [norm.weight, norm.bias]);
    return { y: norm.forward(x, pass), dx, dScale: grads[0], dShift: grads[1] };
  });
  const own = Array.from({ length }, (_, t) => Number(t < frames));
  const shares = Array.from({ length: ITEMS }, () => own.map((isOwn) => isOwn / (frames * ITEMS))).flat();
  const out = await program.run({
    x: float32(x, [ITEMS, length, CHANNELS]),
    dy: float32(dy, [ITEMS, length, CHANNELS]),
    frames: int32([frames], [1]),
    mask: float32(own, [1, length, 1]),
    rowShare: float32(shares, [ITEMS * length, 1]),
  });
  const running = [...(await engine.read(norm.runningMean)), ...(await engine.read(norm.runningVar))];
  const values = Object.fromEntries(Object.entries(out).map(([name, { data }]) => [name, Array.from(data)]));
  writeFileSync(`${folder}/${isMasked}-${rank}.json`, JSON.stringify({ ...values, running }));
}
await engine.dispose();
