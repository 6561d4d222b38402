// Our half of the comparison: restores NeMo's archives, computes what NeMo computed, and saves the models again (and
// one that was never NeMo's) for NeMo to restore. Writes DIR/ours.json; the table is made by table.ts.
//
//     npx tsx benchmarks/parity/ours.ts DIR [PART OF A NAME]
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MelFrontEnd } from '../../src/audio/index.js';
import { float32, type HostTensor, type HostTensors, int32 } from '../../src/engine/index.js';
import { encodeSafetensors } from '../../src/formats/index.js';
import { createEngine, createModel, loadConfig, restoreModel, type SpeechModel } from '../../src/index.js';
import { type CaseFacts, type CaseValues, compareCase, framesFirst, readCase } from './cases.js';
import type { Result } from './measure.js';
import { onlyValid } from './measure.js';
import { stagesOfBatch, validOf } from './network.js';

const [folder, part = ''] = process.argv.slice(2);
if (!folder) throw new Error('say where nemo_side.py put its files');
const { nemo } = JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')) as { nemo: string };
const engine = createEngine();
await rm(join(folder, 'ours'), { recursive: true, force: true });
await mkdir(join(folder, 'ours'), { recursive: true });

const results: Result[] = [];
const names = (await readdir(join(folder, 'nemo'))).filter((name) => name.endsWith('.json')).sort();
let last: [CaseFacts, CaseValues] | undefined;
for (const name of names.map((file) => file.slice(0, -'.json'.length))) {
  if (!name.includes(part)) continue;
  const [facts, values] = await readCase(join(folder, 'nemo', name));
  last = [facts, values];
  const path = join(folder, 'nemo', `${name}.nemo`);
  const model = await restoreModel(path, { engine, log: (line) => console.log(`  ${line}`) });
  const found = await compareCase(name, model, engine, facts, values);
  results.push(...found);
  await keep(name, model, facts, values);
  const of = (quantity: string) =>
    Math.max(0, ...found.filter((r) => r.quantity === quantity).map((r) => r.value));
  const other = found.filter((r) => r.quantity.startsWith('hypotheses')).map((r) => r.value);
  console.log(
    `${name.padEnd(32)} encoder ${of('encoder output').toExponential(1)}, loss ${of('losses').toExponential(1)}, gradients ${of('gradient').toExponential(1)}, other hypotheses ${other.filter((v) => v > 0).length} of ${other.length}`,
  );
  engine.release(model.stateDict().values());
}
if (last) {
  const config = loadConfig(join(import.meta.dirname, 'new-model.yaml'), [
    `model.tokenizer.dir=${join(folder, 'bpe')}`,
    `model.nemo_compat="${/^(1|2\.[0-4])\./.test(nemo) ? '1.x' : '2.5'}"`,
  ]);
  await keep('new-rnnt-bpe', createModel(config.model, { engine, seed: 7 }) as SpeechModel, ...last);
}
await writeFile(join(folder, 'ours.json'), JSON.stringify(results));
await engine.dispose();

/** Saves a model for NeMo, with what it computes here of a batch. */
async function keep(name: string, model: SpeechModel, facts: CaseFacts, values: CaseValues): Promise<void> {
  const target = join(folder, 'ours', name);
  await model.saveTo(`${target}.nemo`, { engine });
  const frontEnd = new MelFrontEnd((model.preprocessor.frontEnd as MelFrontEnd).given);
  const { features, lengths, shape } = frontEnd.computeBatch(values.recordings);
  const signal = float32(features, [...shape]);
  const ids = facts.texts.map((text) => model.tokenizer.textToIds(text));
  const most = Math.max(...ids.map((row) => row.length));
  const targets = int32(ids.flatMap((row) => [...row, ...Array(most - row.length).fill(0)]), [ids.length, most]); // biome-ignore format: one line reads better
  const targetLengths = int32(ids.map((row) => row.length), [ids.length]); // biome-ignore format: one line reads better
  const inputs: HostTensors = {
    features: framesFirst(signal),
    featureLengths: int32(lengths, [lengths.length]),
    targets,
    targetLengths,
  };
  const stages = await stagesOfBatch(model, engine, inputs);
  const encoded = stages['encoder.encoded_lengths'].data;
  const valid = { frames: lengths, encoded, targets: targetLengths.data };
  const entry = (key: string, { shape, data }: HostTensor) =>
    [key, { dtype: 'F32' as const, shape, data: Float32Array.from(data) }] as const;
  const entries = Object.entries({ ...stages, processed_signal: signal }).map(([stage, tensor]) => {
    const data = onlyValid(tensor, validOf(stage, tensor.shape, valid));
    return entry(`stage.${stage}`, { ...tensor, data });
  });
  const given = [
    entry('samples', values.samples),
    entry('lengths', values.lengths),
    entry('targets', targets),
  ];
  await writeFile(`${target}.safetensors`, encodeSafetensors([...entries, ...given]));
  await writeFile(`${target}.json`, JSON.stringify({ texts: facts.texts }));
}
