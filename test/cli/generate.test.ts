// `anemone generate`, `test` and `export` with a folder of Hugging Face: what they print, and what they refuse in one line.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type SafeTensor, safetensorsParts } from '../../src/formats/index.js';
import { anemone } from './anemone.js';

const tiny = fileURLToPath(new URL('../golden/lm/tiny-llama', import.meta.url));
let folder: string;
let home: string;

/** Token i is the letter i after `A`; the first three are special. */
const letters = [
  '<pad>',
  '<s>',
  '</s>',
  ...Array.from({ length: 37 }, (_, i) => String.fromCharCode(68 + i)),
];
const template =
  "{% for m in messages %}{{ m['role'][0] | upper }}{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}X{% endif %}";

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'anemone-generate-'));
  folder = join(home, 'model');
  cpSync(tiny, folder, { recursive: true });
  const added = letters.slice(0, 3).map((content, id) => ({ id, content, special: true, normalized: false }));
  const vocab = Object.fromEntries(letters.map((token, id) => [token, id]));
  const tokenizer = {
    version: '1.0',
    added_tokens: added,
    model: { type: 'BPE', vocab, merges: [] },
    decoder: { type: 'Fuse' },
  };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const config = { bos_token: '<s>', eos_token: '</s>', chat_template: template };
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
});

interface Line {
  readonly prompt: string;
  readonly text: string;
  readonly tokens: readonly number[];
  readonly logProbs?: readonly number[];
}

describe('anemone generate', () => {
  it('goes on from prompts of the command line and of a file, in their order', async () => {
    const file = join(home, 'prompts.txt');
    writeFileSync(file, 'L\n\nHIJ\n');
    const { out, code } = await anemone(
      'generate',
      folder,
      '--prompt',
      'FJ_',
      '--file',
      file,
      '--tokens',
      '8',
      '--jsonl',
    );
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    expect(lines.map(({ prompt, tokens }) => [prompt, tokens.length])).toEqual([
      ['FJ_', 8],
      ['L', 8],
      ['HIJ', 8],
    ]);
    const golden = JSON.parse(readFileSync(join(tiny, 'generated.json'), 'utf8'));
    const greedy = golden.cases.find((one: { name: string }) => one.name === '2 beams');
    const beams = await anemone(
      'generate',
      folder,
      '--prompt',
      'FJ_',
      '--tokens',
      '8',
      '--beams',
      '2',
      '--samples',
      '2',
      '--json',
      '--log-probs',
      '0',
    );
    expect((JSON.parse(beams.out) as Line[]).length).toBe(greedy.texts.length);
    const plain = await anemone('generate', folder, '--prompt', 'FJ_', '--tokens', '8');
    expect(plain.out).toBe(`FJ_${lines[0].text}\n`);
  }, 60_000);

  it("answers by the model's template, whether prompted or typed to", async () => {
    const asked = await anemone(
      'generate',
      folder,
      '--chat',
      '--prompt',
      'FJ',
      '--system',
      'H',
      '--tokens',
      '6',
      '--json',
    );
    const [{ text }] = JSON.parse(asked.out) as Line[];
    const written = await anemone('generate', folder, '--prompt', 'SHUFJX', '--tokens', '6', '--json');
    expect((JSON.parse(written.out) as Line[])[0].text).toBe(text);
  }, 60_000);

  it.each([
    [['--prompt', 'F'.repeat(70)], /the prompt has 70 tokens; the model has positions for 64/],
    [[], /nothing says what to go on from/],
    [['--prompt', 'F', '--system', 'H'], /only a conversation has one/],
    [['--prompt', 'F', '--temperature', '0'], /above 0/],
    [['--prompt', 'F', '--top-p', '2'], /at most 1/],
    [['--prompt', 'F', '--beams', '2', '--temperature', '1'], /a search draws nothing/],
    [['--prompt', 'F', '--bits', '3'], /8 or 4/],
    [['--prompt', 'F', '--length-penalty', '1'], /only a search/],
    [['--prompt', 'F', '--log-probs'], /as JSON alone/],
    [['--prompt', 'F', 'model.hidden_size=3'], /no config that could be changed/],
    [['--file', '/nowhere/prompts.txt'], /prompts\.txt/],
  ])(
    'refuses in one line: %j',
    async (words, expected) => {
      const { err, out, code } = await anemone('generate', folder, ...words);
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(err).toMatch(expected);
      expect(err).not.toMatch(/\n\s+at /);
    },
    60_000,
  );
});

describe('anemone test of a language model', () => {
  it('tells perplexity and bits per byte of files', async () => {
    const [a, b] = [join(home, 'a.txt'), join(home, 'b.jsonl')];
    writeFileSync(a, 'FJ_LMNOPQRSTU');
    writeFileSync(b, `${JSON.stringify({ text: 'HIJKLMN' })}\n${JSON.stringify({ text: 'OPQR' })}\n`);
    const { out, code } = await anemone(
      'test',
      folder,
      '--manifest',
      a,
      b,
      '--context',
      '8',
      '--stride',
      '4',
      '--json',
    );
    expect(code).toBe(0);
    const { metrics, files } = JSON.parse(out);
    expect(files.map((file: { tokens: number }) => file.tokens)).toEqual([12, 9]);
    expect(metrics.bits_per_byte).toBeCloseTo(metrics.loss / Math.LN2, 6);
  }, 60_000);

  it.each([
    [[], /nothing says which texts/],
    [['--manifest', '/nowhere.txt'], /nowhere/],
    [['--context', '65', '--manifest', 'FILE'], /64 positions/],
    [['--context', '8', '--stride', '9', '--manifest', 'FILE'], /the window has 8/],
  ])(
    'refuses in one line: %j',
    async (words, expected) => {
      const file = join(home, 'c.txt');
      writeFileSync(file, 'FJ_LMNOPQRSTU');
      const { err, code } = await anemone(
        'test',
        folder,
        ...words.map((word) => (word === 'FILE' ? file : word)),
      );
      expect([code, err]).toEqual([2, expect.stringMatching(expected)]);
    },
    60_000,
  );
});

describe('anemone export --for huggingface', () => {
  it('writes the folder that it read, with its tokenizer', async () => {
    const target = join(home, 'out');
    const { code } = await anemone('export', folder, target, '--for', 'huggingface');
    expect(code).toBe(0);
    const same = (name: string) => readFileSync(join(target, name)).equals(readFileSync(join(folder, name)));
    expect(same('tokenizer.json')).toBe(true);
    const again = await anemone('export', folder, target, '--for', 'huggingface');
    expect([again.code, again.err]).toEqual([2, expect.stringMatching(/has 5 files already/)]);
    const type = await anemone('export', folder, join(home, 'no'), '--for', 'huggingface', '--dtype', 'int8');
    expect([type.code, type.err]).toEqual([2, expect.stringMatching(/float32, float16, bfloat16/)]);
  }, 60_000);
});

describe('an adapter of PEFT', () => {
  let adapter: string;
  const texts = async (...words: string[]): Promise<readonly number[]> => {
    const { out, code, err } = await anemone(
      'generate',
      ...words,
      '--prompt',
      'FJ',
      '--tokens',
      '12',
      '--json',
    );
    expect([code, err]).toEqual([0, '']);
    return (JSON.parse(out) as Line[])[0].tokens;
  };

  beforeAll(() => {
    adapter = join(home, 'adapter');
    mkdirSync(adapter);
    const tensor = (shape: number[], salt: number): SafeTensor => ({
      dtype: 'F32',
      shape,
      data: Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(salt + 3 * i)),
    });
    const name = 'base_model.model.model.layers.1.mlp.down_proj';
    const tensors = [[`${name}.lora_A.weight`, tensor([2, 24], 1)], [`${name}.lora_B.weight`, tensor([16, 2], 2)]] as const; // biome-ignore format: one line
    writeFileSync(join(adapter, 'adapter_model.safetensors'), Buffer.concat([...safetensorsParts(tensors, { format: 'pt' })] as Buffer[])); // biome-ignore format: one line
    const config = { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: ['down_proj'], base_model_name_or_path: folder }; // biome-ignore format: one line
    writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify(config));
  });

  it('changes what is written, named beside the model or by itself, and merged into files', async () => {
    const plain = await texts(folder);
    const adapted = await texts(folder, '--adapter', adapter);
    expect(adapted).not.toEqual(plain);
    expect(await texts(adapter)).toEqual(adapted);
    const target = join(home, 'merged');
    const nemo = join(home, 'merged.nemo');
    const written = await anemone('export', folder, target, '--adapter', adapter, '--merge', '--for', 'huggingface'); // biome-ignore format: one line
    expect(written.code).toBe(0);
    expect(await texts(target)).toEqual(adapted);
    expect((await anemone('export', adapter, nemo, '--merge')).code).toBe(0);
    expect(await texts(nemo)).toEqual(adapted);
    expect(await texts(nemo, '--adapter', adapter)).not.toEqual(adapted);
    const file = join(home, 'd.txt');
    writeFileSync(file, 'FJ_LMNOPQRSTU');
    const loss = async (...words: string[]) => (await anemone('test', ...words, '--manifest', file, '--json')).out; // biome-ignore format: one line
    const [before, after, merged] = [await loss(folder), await loss(folder, '--adapter', adapter), await loss(target)]; // biome-ignore format: one line
    expect(after).not.toBe(before);
    expect(JSON.parse(after).metrics.loss).toBeCloseTo(JSON.parse(merged).metrics.loss, 5);
  }, 120_000);

  it.each([
    ['generate', ['MODEL', '--adapter', '/nowhere', '--prompt', 'F'], /nowhere/],
    ['generate', ['ADAPTER', '--adapter', 'ADAPTER', '--prompt', 'F'], /is itself an adapter/],
    ['test', ['MODEL', '--adapter', '/nowhere', '--manifest', 'FILE'], /nowhere/],
    ['export', ['MODEL', 'OUT.nemo', '--adapter', 'ADAPTER'], /give --merge/],
    ['export', ['MODEL', 'OUT', '--for', 'huggingface', '--adapter', 'ADAPTER'], /give --merge/],
    ['export', ['MODEL', 'OUT.nemo', '--merge'], /no adapters/],
    ['export', ['MODEL', 'OUT.safetensors', '--adapter', 'ADAPTER', '--merge'], /is for \.nemo and/],
  ])(
    'is refused in one line: %s %j',
    async (command, words, expected) => {
      const file = join(home, 'e.txt');
      writeFileSync(file, 'FJ_LMNOPQRSTU');
      const paths: Readonly<Record<string, string>> = { MODEL: folder, ADAPTER: adapter, FILE: file, OUT: join(home, 'none'), 'OUT.nemo': join(home, 'none.nemo'), 'OUT.safetensors': join(home, 'none.safetensors') }; // biome-ignore format: one line
      const { err, out, code } = await anemone(command, ...words.map((word) => paths[word] ?? word));
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(expected);
      expect(err).not.toMatch(/\n\s+at /);
      expect(readdirSync(home).filter((name) => name.startsWith('none'))).toEqual([]);
    },
    60_000,
  );
});

describe('weights of few bits', () => {
  it.each(['8', '4'])(
    'tell once what they cost: %s',
    async (bits) => {
      const { err, out, code } = await anemone('generate', folder, '--prompt', 'FJ', '--prompt', 'L', '--bits', bits, '--tokens', '3'); // biome-ignore format: one line
      expect(code).toBe(0);
      expect(out).toMatch(/^FJ/);
      const said = [...err.matchAll(/weights of (\d) bits are off by ([\d.]+) %.* in (\S+): ([\d.]+) %/g)];
      expect(said).toHaveLength(1);
      const [[, width, error, worst, most]] = said;
      expect(width).toBe(bits);
      expect(worst).toMatch(/weight$/);
      expect(Number(error)).toBeGreaterThan(bits === '8' ? 0.1 : 3);
      expect(Number(error)).toBeLessThan(bits === '8' ? 1 : 15);
      expect(Number(most)).toBeGreaterThanOrEqual(Number(error));
    },
    60_000,
  );
});
