// One case of the comparison: what NeMo's half left of it, and all differences of a restored model to that.
import { readFile } from 'node:fs/promises';
import { MelFrontEnd } from '../../src/audio/index.js';
import { type Engine, float32, type HostTensor, type HostTensors, int32 } from '../../src/engine/index.js';
import { fileSource, readSafetensors, tensorToFloat32 } from '../../src/formats/index.js';
import type { SpeechModel } from '../../src/index.js';
import { compareGradients, gradientsOf } from './gradients.js';
import { compareHypotheses, type SaidBy } from './hypotheses.js';
import { furthest, type Result, relative } from './measure.js';
import { stagesOfBatch, validOf } from './network.js';

export interface CaseFacts {
  readonly texts: readonly string[];
  readonly hypotheses: SaidBy;
  readonly normalize: string;
}

export interface CaseValues {
  /** [B,N] */
  readonly samples: HostTensor;
  /** [B] */
  readonly lengths: HostTensor;
  readonly recordings: readonly Float32Array[];
  readonly targets: HostTensor;
  readonly targetLengths: HostTensor;
  /** What NeMo computed in evaluation, in training, and in training in double precision. */
  readonly stages: ReadonlyMap<string, HostTensor>;
  readonly training: ReadonlyMap<string, HostTensor>;
  readonly exact: ReadonlyMap<string, HostTensor>;
}

/** @param path of the case's files without their endings */
export async function readCase(path: string): Promise<[CaseFacts, CaseValues]> {
  const facts = JSON.parse(await readFile(`${path}.json`, 'utf8')) as CaseFacts;
  const all = await tensorsOf(`${path}.safetensors`);
  const under = (prefix: string) =>
    new Map([...all].filter(([key]) => key.startsWith(prefix)).map(([key, v]) => [key.slice(prefix.length), v] as const)); // biome-ignore format: one line reads better
  const [samples, lengths] = [all.get('samples')!, all.get('lengths')!];
  const [, longest] = samples.shape;
  const recordings = Array.from(lengths.data, (n, b) =>
    (samples.data as Float32Array).slice(b * longest, b * longest + n),
  );
  const ints = (key: string) => int32(Array.from(all.get(key)!.data), all.get(key)!.shape);
  const values = {
    samples,
    lengths,
    recordings,
    targets: ints('targets'),
    targetLengths: ints('target_lengths'),
    stages: under('stage.'),
    training: under('train.'),
    exact: under('exact.'),
  };
  return [facts, values];
}

export async function tensorsOf(path: string): Promise<Map<string, HostTensor>> {
  const source = await fileSource(path);
  const { tensors } = await readSafetensors(source);
  await source.close();
  return new Map(
    [...tensors].map(([key, tensor]) => [key, float32(tensorToFloat32(tensor), tensor.shape)] as const),
  );
}

export async function compareCase(
  name: string,
  model: SpeechModel,
  engine: Engine,
  facts: CaseFacts,
  values: CaseValues,
): Promise<Result[]> {
  const given = nemosInputs(values);
  return [
    ...compareTokens(name, model, facts, values),
    ...(await compareStages(name, model, engine, facts, values)),
    ...compareGradients(name, await gradientsOf(model, engine, given), values.training, values.exact),
    ...(await compareHypotheses(name, model, engine, given, facts.hypotheses)),
  ];
}

/** NeMo's features and targets, so that what follows them is compared by itself. */
export function nemosInputs({ stages, targets, targetLengths }: CaseValues): HostTensors {
  const frames = stages.get('processed_signal_length')!;
  return {
    features: framesFirst(stages.get('processed_signal')!),
    featureLengths: int32(Array.from(frames.data), frames.shape),
    targets,
    targetLengths,
  };
}

function compareTokens(
  name: string,
  model: SpeechModel,
  { texts }: CaseFacts,
  { targets, targetLengths }: CaseValues,
): Result[] {
  return texts.map((text, b) => {
    const start = b * targets.shape[1];
    const theirs = targets.data.slice(start, start + targetLengths.data[b]).join(' ');
    const ours = model.tokenizer.textToIds(text).join(' ');
    return { case: name, quantity: 'tokens of texts', value: ours === theirs ? 0 : 1, detail: text };
  });
}

/** From the samples on: each stage here is computed of the stage before it here. */
async function compareStages(
  name: string,
  model: SpeechModel,
  engine: Engine,
  facts: CaseFacts,
  values: CaseValues,
): Promise<Result[]> {
  const { stages: wanted, recordings, targets, targetLengths } = values;
  const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch(recordings);
  const signal = float32(features, [...shape]);
  const raw = new MelFrontEnd({
    ...(model.preprocessor.frontEnd as MelFrontEnd).given,
    normalize: 'NA',
  }).computeBatch(recordings);
  const featureLengths = int32(lengths, [lengths.length]);
  const inputs = { features: framesFirst(signal), featureLengths, targets, targetLengths };
  const found: HostTensors = {
    ...(await stagesOfBatch(model, engine, inputs)),
    processed_signal: signal,
    processed_signal_length: featureLengths,
    raw_signal: float32(raw.features, [...raw.shape]),
  };
  const valid = {
    frames: wanted.get('processed_signal_length')!.data,
    encoded: wanted.get('encoder.encoded_lengths')!.data,
    targets: targetLengths.data,
  };
  const results: Result[] = [];
  for (const [stage, tensor] of wanted) {
    const quantity = quantityOf(stage, facts.normalize);
    if (!quantity) continue;
    const ours = found[stage];
    const value = quantity === 'losses' ? relative(ours.data[0], tensor.data[0]) : furthest(ours, tensor, validOf(stage, tensor.shape, valid)); // biome-ignore format: one line reads better
    results.push({ case: name, quantity, value, detail: stage });
  }
  return results;
}

function quantityOf(stage: string, normalize: string): string | undefined {
  if (stage === 'raw_signal') return 'log-mel';
  if (stage === 'processed_signal') return normalize === 'NA' ? undefined : 'normalised features';
  if (/lengths?$/.test(stage)) return 'lengths';
  if (/^encoder\.(pre_encode|layers)/.test(stage)) return 'layers of the encoder';
  if (stage === 'encoder.outputs') return 'encoder output';
  if (stage === 'decoder.outputs') return 'prediction network';
  if (stage === 'joint.outputs') return 'logits of joints';
  if (/logprobs$/.test(stage)) return 'logits of CTC';
  return 'losses';
}

/** [B,F,T] → [B,T,F] */
export function framesFirst({ data, shape }: HostTensor): HostTensor {
  const [batch, bins, frames] = shape;
  const out = new Float32Array(batch * frames * bins);
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < frames; t++)
      for (let f = 0; f < bins; f++) out[(b * frames + t) * bins + f] = data[(b * bins + f) * frames + t];
  return float32(out, [batch, frames, bins]);
}
