// Folders of Hugging Face's PEFT against PEFT itself: its adapters on its models give its logits here, and come out as they were.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ModelAdapters } from '../../src/adapters/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { memorySource, readSafetensors } from '../../src/formats/index.js';
import { LanguageNetwork, networkWeights, openHuggingFace } from '../../src/lm/index.js';
import { loadPeft, peftConfig, savePeft } from '../../src/lm/tuning/peft-folder.js';
import { evaluationPass, loadWeights, Module } from '../../src/nn/index.js';

const golden = new URL('../golden/peft/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'peft-'));
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await engine.dispose();
});

class Whole extends Module {
  readonly network: LanguageNetwork;

  constructor(network: LanguageNetwork) {
    super();
    this.network = this.child('model', network);
  }
}

async function adapted(name: string, adapter = join(golden, name, 'adapter')) {
  const { architecture, weights } = await openHuggingFace(join(golden, name));
  const model = new Whole(new LanguageNetwork(architecture, 'core'));
  await loadWeights([...model.parameters()], networkWeights(weights, architecture, 'model.'), engine);
  await weights.close();
  const adapters = new ModelAdapters(model, createDefaultContainer());
  adapters.add('lora', { _target_: 'LoRA', ...(await peftConfig(adapter)) });
  await loadPeft(adapter, adapters.mapsOf('lora'), engine, architecture);
  return { model, adapters, architecture };
}

describe.each(['llama', 'llama-layer', 'gpt2'])('an adapter of PEFT for %s', (name) => {
  it('gives the logits of PEFT, merged or not', async () => {
    const { model, adapters } = await adapted(name);
    const { tokens, logits } = JSON.parse(readFileSync(join(golden, name, 'logits.json'), 'utf8')) as Record<'tokens' | 'logits', number[]>; // biome-ignore format: one line
    const difference = async (): Promise<number> => {
      const program = engine.compile('logits', ({ tokens }) => ({
        logits: model.network.logits({ tokens }, evaluationPass),
      }));
      const out = await program.run({ tokens: int32(tokens, [1, tokens.length]) });
      return Math.max(...logits.map((value, i) => Math.abs(value - out['logits'].data[i])));
    };
    expect(Math.max(...logits.map(Math.abs))).toBeGreaterThan(1);
    expect(await difference()).toBeLessThan(1e-4);
    await adapters.merge('lora', engine);
    expect(await difference()).toBeLessThan(1e-4);
  });

  it('comes out bit for bit', async () => {
    const { adapters, architecture } = await adapted(name);
    const out = join(folder, name);
    await savePeft(out, adapters.mapsOf('lora'), { base: 'base', network: architecture }, engine);
    const read = async (path: string) => {
      const file = 'adapter_model.safetensors';
      return (await readSafetensors(memorySource(readFileSync(join(path, file)), file))).tensors;
    };
    const [theirs, ours] = [await read(join(golden, name, 'adapter')), await read(out)];
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    for (const [key, { data, shape }] of theirs) {
      expect(ours.get(key)?.shape).toEqual(shape);
      expect(ours.get(key)?.data).toEqual(data);
    }
    const { model } = await adapted(name, out);
    expect(model).toBeDefined();
  });
});

describe('an adapter that this library cannot hold', () => {
  it.each([
    [{ use_dora: true }, /use_dora: DoRA is not supported/],
    [{ peft_type: 'IA3' }, /IA3 is not supported: LORA is/],
    [{ bias: 'all' }, /adapters with biases/],
    [{ modules_to_save: ['lm_head'] }, /modules_to_save/],
    [{ rank_pattern: { q_proj: 4 } }, /ranks that differ/],
    [{ r: 0 }, /r: expected a whole number above 0/],
    [{ r: 5 }, /is \[3, \d+\], the model wants \[5, \d+\]/],
  ])('such as one of %j is refused', async (change, message) => {
    const path = join(folder, 'changed');
    cpSync(join(golden, 'llama', 'adapter'), path, { recursive: true });
    const file = join(path, 'adapter_config.json');
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }));
    await expect(adapted('llama', path)).rejects.toThrow(message);
  });
});
