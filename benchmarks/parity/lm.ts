// Language models of Hugging Face's families against transformers: logits, loss and the gradient of every weight.
//   python benchmarks/parity/lm_side.py DIR && npx tsx benchmarks/parity/lm.ts DIR
// The weights are also written out again as a folder of Hugging Face, and compared with theirs byte by byte.
// Prints a table in Markdown; ends with code 1 where an aim is missed. The aim of gradients is relative to their largest number.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { float32, int32, OnnxEngine, tf, valueAndGrads } from '../../src/engine/index.js';
import { openWeights, tensorToFloat32 } from '../../src/formats/index.js';
import { openHuggingFace } from '../../src/lm/huggingface/folder.js';
import { networkWeights } from '../../src/lm/huggingface/weights.js';
import { writeHuggingFace } from '../../src/lm/huggingface/write-folder.js';
import { LanguageNetwork } from '../../src/lm/network.js';
import { evaluationPass, loadWeights } from '../../src/nn/index.js';
import { alibiSlopes } from '../../src/transformer/index.js';

const AIM = { logits: 1e-4, loss: 1e-5, gradient: 1e-4 };
const folder = process.argv[2];
const engine = new OnnxEngine({ threads: 1 });
const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  largest(Array.from(a, (v, i) => v - b[i]));

interface Found {
  readonly logits: number;
  readonly loss: number;
  readonly gradient: number;
  /** Tensors that differ after a round trip. */
  readonly changed: number;
}

/** How many of their tensors are others, or missing, when the network is written as one of their folders. */
async function roundTrip(path: string, network: LanguageNetwork): Promise<number> {
  const parent = mkdtempSync(join(tmpdir(), 'anemone-parity-'));
  const tokenizer = { bosId: -1, eosId: -1, files: () => new Map() };
  await writeHuggingFace(join(parent, 'out'), { network, tokenizer }, engine, { shardBytes: 20_000 });
  const [theirs, ours] = [await openHuggingFace(path), await openHuggingFace(join(parent, 'out'))];
  let changed = 0;
  for (const name of new Set([...theirs.weights.entries.keys(), ...ours.weights.entries.keys()])) {
    const both = theirs.weights.entries.has(name) && ours.weights.entries.has(name);
    const bytes = async (weights: typeof ours.weights) => Buffer.from((await weights.read(name)).data.buffer);
    if (!both || !(await bytes(theirs.weights)).equals(await bytes(ours.weights))) changed++;
  }
  await theirs.weights.close();
  await ours.weights.close();
  rmSync(parent, { recursive: true });
  return changed;
}

async function compare(path: string): Promise<Found> {
  const { architecture, weights } = await openHuggingFace(path);
  const network = new LanguageNetwork(architecture, 'core');
  const parameters = [...network.parameters()];
  await loadWeights(parameters, networkWeights(weights, architecture), engine);
  await weights.close();
  const expected = await openWeights(join(path, 'expected.safetensors'));
  const numbers = async (name: string) => tensorToFloat32(await expected.read(name));
  const [batch, length] = (await expected.read('tokens')).shape;
  const ids = Int32Array.from(await numbers('tokens'));
  const labels = Int32Array.from(ids, (_, i) => (i % length === length - 1 ? 0 : ids[i + 1]));
  const mask = Float32Array.from(ids, (_, i) => Number(i % length !== length - 1));
  const program = engine.compile('compare', ({ tokens, labels, mask }) => {
    const logits = network.logits({ tokens }, evaluationPass);
    const loss = () => tf.div(network.loss({ tokens }, labels, mask, evaluationPass), tf.sum(mask));
    const { value, grads } = valueAndGrads(loss as () => tf.Scalar, parameters);
    return { logits, loss: value, ...Object.fromEntries(grads.map((grad, i) => [`g${i}`, grad])) };
  });
  const shape = [batch, length];
  const out = await program.run({
    tokens: int32(ids, shape),
    labels: int32(labels, shape),
    mask: float32(mask, shape),
  });
  const gradientFile = await openWeights(join(path, 'gradients.safetensors'));
  const gradients = networkWeights(gradientFile, architecture);
  let gradient = 0;
  for (const [i, { name }] of parameters.entries()) {
    const theirs = tensorToFloat32(await gradients.read(name));
    gradient = Math.max(gradient, difference(out[`g${i}`].data, theirs) / largest(theirs));
  }
  const found = {
    logits: difference(out['logits'].data, await numbers('logits')),
    loss: Math.abs(out['loss'].data[0] - (await numbers('loss'))[0]),
    gradient,
    changed: await roundTrip(path, network),
  };
  await gradientFile.close();
  await expected.close();
  program.dispose();
  engine.release(parameters);
  return found;
}

console.log(
  '| model | logits | loss | gradients | tensors that differ after a round trip |\n|---|---|---|---|---|',
);
for (const entry of readdirSync(folder, { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  const found = await compare(join(folder, entry.name));
  console.log(`| ${entry.name} | ${found.logits.toExponential(1)} | ${found.loss.toExponential(1)} | ${found.gradient.toExponential(1)} | ${found.changed} |`); // biome-ignore format: one line
  for (const key of ['logits', 'loss', 'gradient'] as const)
    if (!(found[key] <= AIM[key])) process.exitCode = 1;
  if (found.changed > 0) process.exitCode = 1;
}
const slopes: Record<string, number[]> = JSON.parse(readFileSync(join(folder, 'slopes.json'), 'utf8'));
const worst = Math.max(...Object.entries(slopes).map(([heads, theirs]) => difference(alibiSlopes(Number(heads)), theirs))); // biome-ignore format: one line
console.log(
  `\nSlopes of 1 to ${Object.keys(slopes).length} heads, as BLOOM has them: largest difference ${worst.toExponential(1)}`,
);
if (!(worst <= 1e-6)) process.exitCode = 1;
await engine.dispose();
