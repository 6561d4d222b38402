// Our half of the comparison: restores NeMo's archives, compares every stage with what NeMo computed, and saves
// archives (the restored models, and new ones) for NeMo to restore.
//
//     npx tsx benchmarks/parity/ours.ts DIR
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeAudio } from '../../src/audio/index.js';
import { type HostTensor, tf } from '../../src/engine/index.js';
import { encodeSafetensors, fileSource, readSafetensors, tensorToFloat32 } from '../../src/formats/index.js';
import {
  createEngine,
  createModel,
  loadConfig,
  restoreModel,
  type SpeechModel,
  stagesOf,
} from '../../src/index.js';
import { evaluationPass } from '../../src/nn/index.js';

const folder = process.argv[2];
if (!folder) throw new Error('say where nemo_side.py put its files');
const { text, nemo } = JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')) as Record<
  string,
  string
>;
const recording = join(folder, 'recording.wav');
const { samples } = await decodeAudio(recording, { targetSampleRate: 16000 });
const engine = createEngine();
await rm(join(folder, 'ours'), { recursive: true, force: true });
await mkdir(join(folder, 'ours'), { recursive: true });

const names = (await readdir(join(folder, 'nemo'))).filter((name) => name.endsWith('.nemo')).sort();
const rows: Record<string, string>[] = [];
let worst = 0;
for (const file of names) {
  const model = await restoreModel(join(folder, 'nemo', file), {
    engine,
    log: (line) => console.log(`  ${line}`),
  });
  const tensors = await everything(model);
  const name = file.slice(0, -'.nemo'.length);
  const source = await fileSource(join(folder, 'nemo', `${name}.safetensors`));
  const { tensors: wanted } = await readSafetensors(source);
  await source.close();
  const row: Record<string, string> = { model: name };
  for (const [stage, tensor] of wanted) {
    const found = tensors.get(stage);
    const difference = found ? distance(found, tensorToFloat32(tensor), tensor.shape) : Number.NaN;
    worst = Math.max(worst, Number.isNaN(difference) ? 1 : difference);
    const column = stage.replace(/layers\.\d+/, 'layers');
    row[column] = String(Math.max(Number(row[column] ?? 0), difference));
  }
  rows.push(row);
  await keep(name, model);
}
await fresh('new-rnnt-bpe');
const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== 'model');
console.log(`largest difference to NeMo ${nemo}, relative to the largest number of the tensor (or to 1)`);
for (const column of columns) {
  const cells = rows
    .filter((row) => column in row)
    .map((row) => `${row['model']} ${Number(row[column]).toExponential(1)}`);
  console.log(`${column.padEnd(26)} ${cells.join(', ')}`);
}
console.log(`worst of all: ${worst.toExponential(1)}`);
await engine.dispose();
process.exitCode = worst < 1e-3 ? 0 : 1;

/** Saves a model for NeMo, with what it computes here. */
async function keep(name: string, model: SpeechModel): Promise<void> {
  const target = join(folder, 'ours', name);
  await model.saveTo(`${target}.nemo`, { engine });
  const tensors = await everything(model);
  const entries = [...tensors].map(([stage, { data, shape }]) => {
    return [stage, { dtype: 'F32' as const, shape, data: Float32Array.from(data) }] as const;
  });
  await writeFile(`${target}.safetensors`, encodeSafetensors(entries));
  // Not model.transcribe, which pads batches; NeMo decodes the one recording as it is.
  const signal = tensors.get('processed_signal') as HostTensor;
  const { hypotheses } = await model
    .recognizer(engine)
    .recognize({ features: transposed(signal, signal.shape[2]), featureLengths: framesOf(tensors) }, false);
  const transcript = model.tokenizer.idsToText(hypotheses[0].tokens);
  await writeFile(`${target}.json`, JSON.stringify({ transcript }));
}

/** All stages, and the encoder's output of the utterance in a batch with a longer one. */
async function everything(model: SpeechModel): Promise<Map<string, HostTensor>> {
  const { tensors } = await stagesOf(model, engine, samples, text);
  const signal = tensors.get('processed_signal') as HostTensor;
  const program = engine.compile('padded', ({ features, lengths: given }) => {
    const { encoded, lengths } = model.encoder.forward(features, given, evaluationPass);
    return { encoded: tf.transpose(encoded, [0, 2, 1]), lengths: tf.clone(lengths) };
  });
  const { encoded, lengths } = await program.run({
    features: transposed(signal, signal.shape[2] + 43),
    lengths: framesOf(tensors),
  });
  program.dispose();
  const [, width, total] = encoded.shape;
  const valid = lengths.data[0];
  const data = new Float32Array(width * valid);
  for (let d = 0; d < width; d++)
    data.set((encoded.data as Float32Array).subarray(d * total, d * total + valid), d * valid);
  return new Map([...tensors, ['padded.outputs', { dtype: 'float32', shape: [1, width, valid], data }]]);
}

/** [1,F,T] → [1,`frames`,F], zeros at the end. */
function transposed({ shape, data }: HostTensor, frames: number): HostTensor {
  const [, bins, from] = shape;
  const out = new Float32Array(frames * bins);
  for (let t = 0; t < from; t++)
    for (let bin = 0; bin < bins; bin++) out[t * bins + bin] = data[bin * from + t];
  return { dtype: 'float32', shape: [1, frames, bins], data: out };
}

function framesOf(tensors: ReadonlyMap<string, HostTensor>): HostTensor {
  return tensors.get('processed_signal_length') as HostTensor;
}

/** A model that was never NeMo's: from a config of this package, with random weights. */
async function fresh(name: string): Promise<void> {
  const config = loadConfig(join(import.meta.dirname, 'new-model.yaml'), [
    `model.tokenizer.dir=${join(folder, 'tokenizer')}`,
    `model.nemo_compat="${/^(1|2\.[0-4])\./.test(nemo) ? '1.x' : '2.5'}"`,
  ]);
  await keep(name, createModel(config.model, { engine, seed: 7 }) as SpeechModel);
}

function distance(found: HostTensor, wanted: Float32Array, shape: readonly number[]): number {
  if (found.data.length !== wanted.length || found.shape.join() !== shape.join()) {
    console.log(`  [${found.shape}] here, [${shape}] there`);
    return Number.NaN;
  }
  let scale = 1;
  let most = 0;
  for (let i = 0; i < wanted.length; i++) {
    scale = Math.max(scale, Math.abs(wanted[i]));
    most = Math.max(most, Math.abs(found.data[i] - wanted[i]));
  }
  return most / scale;
}
