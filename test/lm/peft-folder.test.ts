// Folders of Hugging Face's PEFT against PEFT itself: its adapters on its models give its logits here, and come out as they were.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ModelAdapters } from '../../src/adapters/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { memorySource, readSafetensors, safetensorsParts } from '../../src/formats/index.js';
import {
  LanguageNetwork,
  networkWeights,
  openHuggingFace,
  PretrainedLanguageModel,
} from '../../src/lm/index.js';
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

describe('an adapter that is added to the weights', () => {
  const merged = async (name: string, adapter: string) => {
    const model = await PretrainedLanguageModel.open(withTokenizer(name), engine, { adapter });
    return { network: model.network, model };
  };
  const logitsOf = async (network: LanguageNetwork, tokens: readonly number[]): Promise<Float32Array> => {
    const program = engine.compile('logits', ({ tokens }) => ({
      logits: network.logits({ tokens }, evaluationPass),
    }));
    const out = await program.run({ tokens: int32(tokens, [1, tokens.length]) });
    return Float32Array.from(out['logits'].data as Float32Array);
  };
  const expected = (name: string) => JSON.parse(readFileSync(join(golden, name, 'logits.json'), 'utf8')) as Record<'tokens' | 'logits', number[]>; // biome-ignore format: one line
  const apart = (a: Iterable<number>, b: Float32Array): number => Math.max(...[...a].map((value, i) => Math.abs(value - b[i]))); // biome-ignore format: one line

  it.each(['llama', 'llama-layer', 'gpt2'])('gives the logits of PEFT: %s', async (name) => {
    const { tokens, logits } = expected(name);
    const { network, model } = await merged(name, join(golden, name, 'adapter'));
    expect(apart(logits, await logitsOf(network, tokens))).toBeLessThan(1e-4);
    expect((await model.generate([' !'], { tokensToGenerate: 3 }))[0].tokens).toHaveLength(3);
  });

  it('may say itself which model it is for', async () => {
    const adapter = join(folder, 'speaks');
    cpSync(join(golden, 'llama', 'adapter'), adapter, { recursive: true });
    changeConfig(adapter, { base_model_name_or_path: withTokenizer('llama') });
    const model = await PretrainedLanguageModel.open(adapter, engine);
    const { tokens, logits } = expected('llama');
    expect(apart(logits, await logitsOf(model.network, tokens))).toBeLessThan(1e-4);
    changeConfig(adapter, { base_model_name_or_path: 'nobody/nothing' });
    await expect(PretrainedLanguageModel.open(adapter, engine)).rejects.toThrow(
      /no model nobody\/nothing here/,
    );
  });

  it('may have other ranks and alphas for some maps, by last parts of their names', async () => {
    const { tokens } = expected('llama');
    const { network: before } = await merged('llama', join(golden, 'llama', 'adapter'));
    const adapter = join(folder, 'patterned');
    cpSync(join(golden, 'llama', 'adapter'), adapter, { recursive: true });
    const { lora_alpha: alpha } = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')) as { lora_alpha: number }; // biome-ignore format: one line
    const twice = 2 * alpha;
    changeConfig(adapter, { alpha_pattern: { down_proj: twice, 'self_attn.v_proj': twice } });
    const { network: patterned } = await merged('llama', adapter);
    // The same as twice the second maps of those.
    const file = join(adapter, 'adapter_model.safetensors');
    const { tensors } = await readSafetensors(memorySource(readFileSync(file), file));
    for (const [name, { data }] of tensors)
      if (/(v|down)_proj\.lora_B/.test(name)) for (let i = 0; i < data.length; i++) (data as Float32Array)[i] *= 2; // biome-ignore format: one line
    writeFileSync(file, Buffer.concat([...safetensorsParts([...tensors], { format: 'pt' })] as Buffer[]));
    changeConfig(adapter, { alpha_pattern: {} });
    const { network: doubled } = await merged('llama', adapter);
    const [a, b, c] = [await logitsOf(before, tokens), await logitsOf(patterned, tokens), await logitsOf(doubled, tokens)]; // biome-ignore format: one line
    expect(apart(b, c)).toBeLessThan(1e-5);
    expect(apart(a, b)).toBeGreaterThan(0.1);
  });

  it.each([
    [{ alpha_pattern: { '.*_proj': 4 } }, /the pattern "\.\*_proj" is not supported/],
    [{ use_dora: true }, /DoRA/],
    [{ lora_alpha: 'much' }, /lora_alpha: expected a number/],
  ])('is refused where it is not supported: %j', async (change, message) => {
    const adapter = join(folder, 'refused');
    cpSync(join(golden, 'llama', 'adapter'), adapter, { recursive: true });
    changeConfig(adapter, change);
    await expect(merged('llama', adapter)).rejects.toThrow(message);
  });

  it('is refused where it is of another model', async () => {
    await expect(merged('gpt2', join(golden, 'llama', 'adapter'))).rejects.toThrow(/no place for/);
  });
});

/** The golden folder, with a tokenizer of letters. */
function withTokenizer(name: string): string {
  const path = join(folder, `${name}-whole`);
  cpSync(join(golden, name), path, { recursive: true });
  const letters = Array.from({ length: 96 }, (_, i) => [String.fromCharCode(32 + i), i]);
  const json = {
    added_tokens: [],
    model: { type: 'BPE', vocab: Object.fromEntries(letters) as object, merges: [] },
  };
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(json));
  return path;
}

function changeConfig(adapter: string, change: object): void {
  const file = join(adapter, 'adapter_config.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }));
}

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
