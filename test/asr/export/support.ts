// Reads of an ONNX file what onnxruntime-node does not show.
import { readFileSync } from 'node:fs';
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
