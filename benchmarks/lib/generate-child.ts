// Anemone's side of generate.ts: loads a folder of Hugging Face, then writes on from the same prompts, over and over.
import { OnnxEngine } from '../../src/engine/index.js';
import { CacheRunner } from '../../src/lm/generation/cache-runner.js';
import { generate } from '../../src/lm/generation/generate.js';
import { LanguageNetwork, networkWeights, openHuggingFace, weightOnly } from '../../src/lm/index.js';
import { loadWeights } from '../../src/nn/index.js';
import type { Tokenizer } from '../../src/text/index.js';
import { serve } from './answer.js';

interface Work {
  readonly folder: string;
  readonly threads: number;
  readonly batch: number;
  readonly prompt: number;
  readonly tokens: number;
  readonly bits?: 4 | 8;
}

const work = JSON.parse(process.argv[2]) as Work;
const start = performance.now();
const engine = new OnnxEngine({
  threads: work.threads,
  ...(process.env['PROFILE'] ? { profile: process.env['PROFILE'] } : {}),
});
const { architecture, weights } = await openHuggingFace(work.folder);
const network = new LanguageNetwork(architecture, 'core');
await loadWeights([...network.parameters()], networkWeights(weights, architecture), engine);
await weights.close();
const rounded = work.bits ? await weightOnly(network, engine, work.bits) : undefined;
/** Tokens as texts: their numbers. */
const tokenizer = {
  vocabSize: architecture.vocabulary,
  bosId: -1,
  eosId: -1,
  textToIds: (text: string) => text.split(' ').map(Number),
  idsToText: (ids: Iterable<number>) => [...ids].map((id) => `${id} `).join(''),
} as unknown as Tokenizer;
const writer = { runner: new CacheRunner(engine, network, rounded?.tracing), tokenizer, ends: [] };
/** The same numbers as in generate.py. */
const prompts = Array.from({ length: work.batch }, (_, row) =>
  Array.from(
    { length: work.prompt },
    (_, i) => (row * 7919 + i * 104729 + 17) % architecture.vocabulary,
  ).join(' '),
);
await generate(writer, prompts.slice(0, 1), { tokensToGenerate: 1 });
const firstToken = (performance.now() - start) / 1000;
await serve({ firstToken, error: rounded?.error }, async () => {
  const results = await generate(writer, prompts, { tokensToGenerate: work.tokens });
  return { texts: results.map(({ tokens }) => tokens) };
});
await engine.dispose();
