// The gradient of the training loss with respect to every parameter, and what the step leaves in batch norms.
import { type Engine, type HostTensors, type Tensors, valueAndGrads } from '../../src/engine/index.js';
import type { SpeechModel } from '../../src/index.js';
import { trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { distance, norm, type Result, relative, type Values } from './measure.js';

/** Outputs `loss`, `grad.NAME`, `stat.NAME`; the model's buffers are as before afterwards. */
export async function gradientsOf(
  model: SpeechModel,
  engine: Engine,
  inputs: HostTensors,
): Promise<HostTensors> {
  const parameters = [...model.parameters()].filter((parameter) => !parameter.tiedTo);
  const buffers = [...model.buffers()];
  const before = await Promise.all(buffers.map((buffer) => engine.read(buffer)));
  const program = engine.compile('gradients', (tensors) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(tensors, trainingPass).loss, parameters);
    const out: Tensors = { loss: value };
    grads.forEach((grad, i) => {
      out[`grad.${parameters[i].name}`] = grad;
    });
    return out;
  });
  try {
    const out = { ...(await program.run(inputs, { random: new CounterRandom(1) })) };
    for (const buffer of buffers) {
      if (!buffer.name.includes('running_')) continue;
      const data = (await engine.read(buffer)).slice();
      out[`stat.${buffer.name}`] = { dtype: 'float32', shape: buffer.shape, data };
    }
    for (const [i, buffer] of buffers.entries()) await engine.write(buffer, before[i]);
    return out;
  } finally {
    program.dispose();
  }
}

/** A gradient below this share of the whole is 0 but for rounding (biases before a batch norm, of keys). */
const NOTHING = 1e-6;

/**
 * @param wanted NeMo's, by the same names
 * @param exact NeMo's in double precision, where there is one: says which gradients are zero
 */
export function compareGradients(
  name: string,
  found: HostTensors,
  wanted: ReadonlyMap<string, Values>,
  exact: ReadonlyMap<string, Values>,
): Result[] {
  const judge = exact.size > 0 ? exact : wanted;
  const names = [...wanted.keys()].filter((key) => key.startsWith('grad.'));
  const whole = norm(names.map((key) => norm(judge.get(key)!.data)));
  const results: Result[] = [];
  const add = (quantity: string, value: number, detail?: string) =>
    results.push({ case: name, quantity, value, detail });
  add('training loss', relative(found['loss'].data[0], wanted.get('loss')!.data[0]));
  for (const key of names) {
    const theirs = wanted.get(key)!.data;
    const ours = found[key]?.data;
    const truth = judge.get(key)!.data;
    if (!ours || ours.length !== theirs.length) {
      add('gradient', Number.POSITIVE_INFINITY, key);
    } else if (norm(truth) < NOTHING * whole) {
      add('gradient that is 0', norm(ours) / whole, key);
    } else {
      add('gradient', distance(ours, theirs) / norm(theirs), key);
      if (exact.size === 0) continue;
      add('gradient here, from double', distance(ours, truth) / norm(truth), key);
      add('gradient of NeMo, from double', distance(theirs, truth) / norm(truth), key);
    }
  }
  const extra = Object.keys(found).filter((key) => key.startsWith('grad.') && !wanted.has(key));
  for (const key of extra) add('gradient', Number.POSITIVE_INFINITY, `${key}, which NeMo lacks`);
  for (const [key, { data }] of wanted) {
    if (!key.startsWith('stat.')) continue;
    const ours = found[key]?.data;
    add(
      'statistics of batch norms',
      ours ? distance(ours, data) / norm(data) : Number.POSITIVE_INFINITY,
      key,
    );
  }
  return results;
}
