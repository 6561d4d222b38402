// Adapters (LoRA) against Hugging Face's PEFT: theirs give their logits here, beside the weights or added to them; what is trained
// and exported here is loaded by PEFT.
//   python benchmarks/parity/peft_side.py make DIR && npx tsx benchmarks/parity/peft.ts DIR && python benchmarks/parity/peft_side.py check DIR
// Prints a table in Markdown; ends with code 1 where an aim is missed.
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFromConfig } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { configFromObject } from '../../src/config/index.js';
import { int32 } from '../../src/engine/index.js';
import { openWeights, safetensorsParts, tensorToFloat32 } from '../../src/formats/index.js';
import {
  type LanguageNetwork,
  type MegatronGPTSFTModel,
  PretrainedLanguageModel,
} from '../../src/lm/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { Trainer } from '../../src/training/index.js';

const AIM = 1e-4;
const folder = process.argv[2];
const trainer = new Trainer({}, { container: createDefaultContainer() });
const { engine } = trainer;

async function logitsOf(network: LanguageNetwork): Promise<Float32Array> {
  const tokens = Array.from({ length: 40 }, (_, i) => (7 * i) % 96);
  const program = engine.compile('logits', ({ tokens }) => ({
    y: network.logits({ tokens }, evaluationPass),
  }));
  const { y } = await program.run({ tokens: int32(tokens, [1, tokens.length]) });
  program.dispose();
  return Float32Array.from(y.data as Float32Array);
}

async function expectedOf(adapter: string): Promise<Float32Array> {
  const file = await openWeights(join(adapter, 'expected.safetensors'));
  const logits = Float32Array.from(tensorToFloat32(await file.read('logits')));
  await file.close();
  return logits;
}

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

/** A model that is tuned, by its config: with a new adapter, or one of PEFT to go on from. */
async function tuned(base: string, peft: object): Promise<MegatronGPTSFTModel> {
  const model = {
    target: 'MegatronGPTSFTModel',
    restore_from_path: base,
    global_batch_size: 4,
    peft: { peft_scheme: 'lora', ...peft },
  };
  return (await createFromConfig(configFromObject({ model }), trainer)) as unknown as MegatronGPTSFTModel;
}

/** What came out, or what is said of an adapter that cannot be gone on from. */
async function theirs(base: string, adapter: string): Promise<readonly string[]> {
  const expected = await expectedOf(adapter);
  const merged = await PretrainedLanguageModel.open(base, engine, { adapter });
  const found = [apart(await logitsOf(merged.network), expected)];
  let beside: string;
  try {
    const model = await tuned(base, { restore_from_path: adapter });
    found.push(apart(await logitsOf(model.network), expected));
    beside = found[1].toExponential(1);
  } catch (error) {
    beside = (error as Error).message.includes('ranks that differ')
      ? 'ranks that differ: refused'
      : String(error);
  }
  if (found.some((difference) => !(difference <= AIM))) process.exitCode = 1;
  return [found[0].toExponential(1), beside];
}

async function writeOurs(base: string, adapter: string, lora_tuning: object): Promise<void> {
  const model = await tuned(base, {
    lora_tuning: {
      adapter_dim: 3,
      alpha: 6,
      target_modules: ['all'],
      row_init_method: 'normal',
      ...lora_tuning,
    },
  });
  await model.savePeft(adapter, { engine });
  const logits = await logitsOf(model.network);
  const tensor = { dtype: 'F32', shape: [logits.length], data: logits } as const;
  await writeFile(join(adapter, 'expected.safetensors'), safetensorsParts([['logits', tensor]]));
}

console.log('| model | adapter of PEFT | added to the weights | beside them |\n|---|---|---|---|');
for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  const base = join(folder, name, 'base');
  if (!existsSync(base)) continue;
  for (const kind of ['all', 'some', 'patterns']) {
    const [merged, beside] = await theirs(base, join(folder, name, `theirs-${kind}`));
    console.log(`| ${name} | ${kind} | ${merged} | ${beside} |`);
  }
  await writeOurs(base, join(folder, name, 'ours-nemo'), { variant: 'nemo' });
  await writeOurs(base, join(folder, name, 'ours-canonical'), { variant: 'canonical' });
  await writeOurs(base, join(folder, name, 'ours-some'), { target_modules: ['attention_qkv', 'mlp_fc2'], layer_selection: [2], alpha: null }); // biome-ignore format: one line
}
await trainer.dispose();
