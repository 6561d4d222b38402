// Generation over a cache: against transformers, alone and in batches, drawn, searched, streamed and cancelled.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, isCancelled, OnnxEngine } from '../../src/engine/index.js';
import { CacheRunner } from '../../src/lm/generation/cache-runner.js';
import { generate, generateParts, type Writer } from '../../src/lm/generation/generate.js';
import type { GenerateOptions } from '../../src/lm/generation/options.js';
import { LanguageNetwork, networkWeights, openHuggingFace } from '../../src/lm/index.js';
import { loadWeights } from '../../src/nn/index.js';
import type { Tokenizer } from '../../src/text/index.js';

const folder = fileURLToPath(new URL('../golden/lm/tiny-llama', import.meta.url));

interface Golden {
  readonly end: number;
  readonly cases: readonly {
    readonly name: string;
    readonly prompt: readonly number[];
    readonly options: Readonly<Record<string, number | boolean>>;
    readonly texts: readonly {
      readonly tokens: readonly number[];
      readonly ended: boolean;
      readonly score?: number;
    }[];
  }[];
}
const golden = JSON.parse(readFileSync(`${folder}/generated.json`, 'utf8')) as Golden;

/** Token i is the letter i after `A`; 0 to 2 are special. */
const letters = (ids: Iterable<number>): string =>
  [...ids].map((id) => (id < 3 ? '' : String.fromCharCode(65 + id))).join('');
const tokenizer = {
  vocabSize: 40,
  bosId: 1,
  eosId: 2,
  textToIds: (text: string) => [...text].map((letter) => letter.charCodeAt(0) - 65),
  idsToText: letters,
} as unknown as Tokenizer;

let engine: Engine;
let writer: Writer;
beforeAll(async () => {
  engine = new OnnxEngine({ threads: 1 });
  const { architecture, weights } = await openHuggingFace(folder);
  const network = new LanguageNetwork(architecture, 'core');
  await loadWeights([...network.parameters()], networkWeights(weights, architecture), engine);
  await weights.close();
  writer = { runner: new CacheRunner(engine, network), tokenizer };
});
afterAll(() => engine.dispose());

const write = (prompts: readonly string[], options: GenerateOptions = {}) =>
  generate(writer, prompts, { tokensToGenerate: 14, ...options });

describe('generation beside transformers', () => {
  it.each(golden.cases.map((one) => [`${one.name} after ${one.prompt.length}`, one] as const))(
    'writes the same tokens: %s',
    async (_, { prompt, options, texts }) => {
      const written = await generate({ ...writer, ends: [golden.end] }, [letters(prompt)], {
        tokensToGenerate: 14,
        ...(options['min_new_tokens'] && { minTokens: options['min_new_tokens'] as number }),
        ...(options['num_beams'] && { numBeams: options['num_beams'] as number, samples: texts.length }),
        ...(options['length_penalty'] !== undefined && {
          lengthPenalty: options['length_penalty'] as number,
        }),
        ...(options['early_stopping'] && { earlyStopping: true }),
      });
      expect(written.map(({ tokens, reason }) => ({ tokens, ended: reason === 'end' }))).toEqual(
        texts.map(({ tokens, ended }) => ({ tokens, ended })),
      );
      for (const [i, { score }] of texts.entries())
        if (score !== undefined) expect(written[i].score).toBeCloseTo(score, 4);
    },
  );
});

const PROMPTS = ['FJ_', 'L', 'HIbVMGD', 'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', 'Z'];
const DRAWN: readonly GenerateOptions[] = [
  {},
  { temperature: 1.3, seed: 4 },
  { topK: 7, seed: 1 },
  { topP: 0.8, seed: 2, repetitionPenalty: 1.2 },
  { minP: 0.1, temperature: 2, presencePenalty: 0.5, frequencyPenalty: 0.3 },
];

describe('a batch', () => {
  it.each(DRAWN.map((options) => [JSON.stringify(options), options] as const))(
    'of unequal prompts gives each the text that it has alone: %s',
    async (_, options) => {
      const together = await write(PROMPTS, options);
      for (const [i, prompt] of PROMPTS.entries())
        expect((await write([prompt], options))[0]).toEqual(together[i]);
      expect(await write(PROMPTS, { ...options, batchSize: 2 })).toEqual(together);
    },
  );

  it('has samples of each prompt, the first of which is the one without samples', async () => {
    const options = { temperature: 1.5, seed: 3 };
    const single = await write(PROMPTS, options);
    const three = await write(PROMPTS, { ...options, samples: 3 });
    expect(three).toHaveLength(15);
    expect(three.filter((_, i) => i % 3 === 0)).toEqual(single);
    expect(new Set(three.map(({ text }) => text)).size).toBeGreaterThan(10);
    expect(await write(PROMPTS, { ...options, samples: 3, batchSize: 3 })).toEqual(three);
  });

  it("ends each text at the model's last position, and goes on with the others", async () => {
    const long = 'F'.repeat(60);
    const options = { tokensToGenerate: 30, minTokens: 30 };
    const [first, second] = await write([long, 'L'], options);
    expect([first.tokens.length, first.reason]).toEqual([4, 'length']);
    expect(second).toEqual((await write(['L'], options))[0]);
    expect(second.tokens).toHaveLength(30);
  });
});

describe('what is told beside a text', () => {
  it('has the log-probabilities of tokens, and the likeliest at each place', async () => {
    const [{ tokens, logProbs, likeliest }] = await write(['FJ_'], { logProbs: 3, topK: 5, seed: 8 });
    expect(logProbs).toHaveLength(tokens.length);
    for (const [i, places] of (likeliest ?? []).entries()) {
      expect(places).toHaveLength(3);
      expect(places[0].logProb).toBeGreaterThanOrEqual(logProbs?.[i] ?? 0);
      expect(places.reduce((sum, { logProb }) => sum + Math.exp(logProb), 0)).toBeLessThanOrEqual(1);
    }
    const [greedy] = await write(['FJ_'], { logProbs: 1 });
    expect(greedy.likeliest?.map(([{ id }]) => id)).toEqual(greedy.tokens);
  });
});

describe('a stop text', () => {
  it('ends a text wherever it begins, and is never shown', async () => {
    const [{ text }] = await write(['HIbVMGD'], { minTokens: 14 });
    for (const [start, end] of [
      [2, 3],
      [2, 5],
      [5, 9],
      [11, 14],
    ] as const) {
      const stop = text.slice(start, end);
      const at = text.indexOf(stop);
      let shown = '';
      const onText = (_: number, added: string) => { shown += added; }; // biome-ignore format: one line
      const [stopped] = await write(['HIbVMGD'], { minTokens: 14, stop: ['#', stop, `${stop}?`], onText });
      expect([stopped.text, stopped.reason, shown]).toEqual([text.slice(0, at), 'stop', text.slice(0, at)]);
    }
  });
});

describe('a stream', () => {
  it('gives the parts of the texts that generate gives', async () => {
    const whole = await write(PROMPTS);
    const texts = PROMPTS.map(() => '');
    for await (const { row, text, result } of generateParts(writer, PROMPTS, { tokensToGenerate: 14 })) {
      texts[row] += text;
      if (result) expect(result).toEqual(whole[row]);
    }
    expect(texts).toEqual(whole.map(({ text }) => text));
  });

  it('ends the writing when nobody reads on', async () => {
    const before = engine.stats.runs;
    for await (const _ of generateParts(writer, ['L'], { tokensToGenerate: 40, minTokens: 40 })) break;
    expect(engine.stats.runs - before).toBeLessThan(4);
  });

  it('ends at a signal, also one that a timer gives', async () => {
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    const ended = write(['L'], { tokensToGenerate: 60, minTokens: 60, signal: controller.signal });
    await expect(ended).rejects.toSatisfy(isCancelled);
    expect((await write(['L']))[0].tokens.length).toBeGreaterThan(0);
  });
});

describe('options that make no sense', () => {
  it.each([
    [{ temperature: 0 }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.5 }, 'topP'],
    [{ minP: -1 }, 'minP'],
    [{ topK: 1.5 }, 'topK'],
    [{ samples: 0 }, 'samples'],
    [{ stop: [''] }, 'stop'],
    [{ repetitionPenalty: 0 }, 'repetitionPenalty'],
    [{ presencePenalty: Number.NaN }, 'presencePenalty'],
    [{ numBeams: 2, temperature: 1 }, 'numBeams'],
    [{ numBeams: 2, samples: 3 }, 'samples'],
    [{ minTokens: 20 }, 'minTokens'],
    [{ logProbs: 41 }, 'logProbs'],
  ])('are named: %o', async (options, path) => {
    await expect(write(['L'], options)).rejects.toMatchObject({ code: 'lm.option', path });
  });

  it('are named, as are prompts that do not fit', async () => {
    await expect(write(['F'.repeat(64)])).rejects.toThrow(/64 tokens/);
    await expect(write(['q'])).rejects.toMatchObject({ code: 'lm.tokenizer' });
  });
});

describe('a step', () => {
  it('writes its logits where those before it were, until there are other texts', async () => {
    const { sequences } = await writer.runner.start([[5, 6, 7]], 16);
    const first = await sequences.advance([8]);
    const kept = first.slice();
    const second = await sequences.advance([9]);
    expect(second.buffer).toBe(first.buffer);
    expect(second).not.toEqual(kept);
    sequences.reorder([0, 0]);
    const both = await sequences.advance([10, 10]);
    expect(both.buffer).not.toBe(first.buffer);
    expect(both.slice(0, both.length / 2)).toEqual(both.slice(both.length / 2));
  });
});
