// A multitask model as ONNX files, run through ONNX Runtime's public interface: against NeMo's numbers, the model's own
// training pass, and what its greedy search finds.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncDecMultiTaskModel, restoreModel } from '../../../src/asr/index.js';
import { float32, int32, OnnxEngine } from '../../../src/engine/index.js';
import { evaluationPass } from '../../../src/nn/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-export-attention-'));
const archive = join(import.meta.dirname, '../../fixtures/nemo/multitask.nemo');
let engine: OnnxEngine;
let model: EncDecMultiTaskModel;
let encoder: ort.InferenceSession;
let decoder: ort.InferenceSession;
beforeAll(async () => {
  engine = new OnnxEngine({ threads: 1 });
  model = (await restoreModel(archive, { engine })) as EncDecMultiTaskModel;
  const files = await model.export(join(folder, 'm.onnx'), { maxFrames: 400 });
  expect(files.map((file) => basename(file))).toEqual(['encoder-m.onnx', 'decoder-m.onnx']);
  [encoder, decoder] = await Promise.all(files.map(load));
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });

const asInt64 = (values: readonly number[], dims: readonly number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);

it('x', async () => {
  expect(encoder.outputNames).toEqual(['encoder_embeddings', 'encoder_mask', 'encoded_lengths']);
  expect(decoder.outputNames).toEqual(['logits', 'decoder_hidden_states']);
});
