// Reads of an ONNX file what onnxruntime-node does not show, and runs files as programs of other languages do.
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { ProtoReader } from '../../../src/formats/index.js';

/** `metadata_props` of a model. */
export function readMetadata(path: string): Record<string, string> {
  const model = new ProtoReader(readFileSync(path));
  const entries: [string, string][] = [];
  while (model.next()) {
    if (model.field !== 14) continue;
    const entry = model.message();
    const pair: [string, string] = ['', ''];
    while (entry.next()) pair[entry.field - 1] = entry.string();
    entries.push(pair);
  }
  return Object.fromEntries(entries);
}

export const int64 = (values: readonly number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
const zeros = (dims: readonly number[]) =>
  new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
const numbers = (tensor: ort.Tensor) => Array.from(tensor.data as BigInt64Array, Number);

/**
 * What a program of another language does with the file: rows of features [T,F] of utterances that begin together, and `more` with
 * each window.
 */
export async function inWindows(
  session: ort.InferenceSession,
  metadata: Readonly<Record<string, string>>,
  utterances: readonly Float32Array[],
  bins: number,
  more: Readonly<Record<string, ort.Tensor>> = {},
): Promise<number[][]> {
  const batch = utterances.length;
  const dims = (name: string) => [1, 2, 3].map((i) => Number(metadata[`${name}_dim${i}`]));
  let channel: ort.Tensor = zeros([batch, ...dims('cache_last_channel')]);
  let time: ort.Tensor = zeros([batch, ...dims('cache_last_time')]);
  let known: ort.Tensor = int64(utterances.map(() => 0));
  const found: number[][] = utterances.map(() => []);
  const most = Math.max(...utterances.map(({ length }) => length / bins));
  const [usual, first, shift] = ['window_size', 'first_window_size', 'chunk_shift'].map((key) =>
    Number(metadata[key]),
  );
  // `end` is where a window ends; before the stream there is nothing, so that the first ones are shorter.
  for (let end = first; end - first < most + usual; end += shift) {
    const from = Math.max(0, end - usual);
    const size = end - from;
    const signal = new Float32Array(batch * bins * size);
    const lengths = utterances.map((features, b) => {
      const there = Math.max(0, Math.min(features.length / bins - from, size));
      for (let t = 0; t < there; t++) {
        for (let f = 0; f < bins; f++) signal[(b * bins + f) * size + t] = features[(from + t) * bins + f];
      }
      return there;
    });
    const out = await session.run({
      audio_signal: new ort.Tensor('float32', signal, [batch, bins, size]),
      length: int64(lengths),
      cache_last_channel: channel,
      cache_last_time: time,
      cache_last_channel_len: known,
      ...more,
    });
    const [main] = session.outputNames;
    const { dims: shape, data } = out[main];
    numbers(out['encoded_lengths']).forEach((count, b) => {
      const [, rows, columns] = main === 'outputs' ? [0, shape[2], shape[1]] : shape;
      for (let t = 0; t < count; t++) {
        for (let c = 0; c < columns; c++) {
          const at = main === 'outputs' ? (b * columns + c) * rows + t : (b * rows + t) * columns + c;
          found[b].push((data as Float32Array)[at]);
        }
      }
    });
    channel = out['cache_last_channel_next'];
    time = out['cache_last_time_next'];
    known = out['cache_last_channel_next_len'];
  }
  return found;
}
