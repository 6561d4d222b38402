// The weights of NeMo's GPT archives by the names that our networks have: what NeMo's module trees write beside them is left out,
// and norms and gates that stand elsewhere there are brought to their places.
import { type SafeTensor, tensorToFloat32, type WeightInfo } from '../formats/index.js';
import type { WeightSource } from '../nn/index.js';

/** States of Transformer Engine, and frequencies that follow from the config. */
const NO_WEIGHT = /(\._extra_state|rotary_pos_emb\.inv_freq)$/;

/** Other names: inside `Float16Module` (megatron_amp_O2), and Megatron core's layers without Transformer Engine. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^model\.module\./, 'model.'],
  [/(\.layers\.\d+)\.input_layernorm\.(weight|bias)$/, '$1.self_attention.linear_qkv.layer_norm_$2'],
  [/(\.layers\.\d+)\.pre_mlp_layernorm\.(weight|bias)$/, '$1.mlp.linear_fc1.layer_norm_$2'],
];

/** What the gate is multiplied by, which NeMo's own layers keep as a second map. */
const SECOND = /\.dense_h_to_4h_2\.(weight|bias)$/;

/** @param isCore whether the network has the names of Megatron core */
export function archiveWeights(file: WeightSource, isCore: boolean): WeightSource {
  const theirs = new Map<string, readonly string[]>();
  const entries = new Map<string, WeightInfo>();
  for (const [name, info] of file.entries) {
    if (NO_WEIGHT.test(name) || SECOND.test(name)) continue;
    const own = renamed(name, isCore);
    const second = name.replace(/\.dense_h_to_4h\.(weight|bias)$/, '.dense_h_to_4h_2.$1');
    const isHalf = second !== name && file.entries.has(second);
    theirs.set(own, isHalf ? [name, second] : [name]);
    const [rows, ...rest] = info.shape;
    const more = isHalf ? (file.entries.get(second)?.shape[0] ?? 0) : 0;
    entries.set(own, isHalf ? { dtype: 'F32', shape: [rows + more, ...rest] } : info);
  }
  const read = async (name: string, scratch?: Uint8Array): Promise<SafeTensor> => {
    const parts = theirs.get(name) ?? [name];
    if (parts.length === 1) return file.read(parts[0], scratch);
    const [gate, other] = [await file.read(parts[0]), await file.read(parts[1])].map(tensorToFloat32);
    const data = new Float32Array(gate.length + other.length);
    data.set(gate);
    data.set(other, gate.length);
    return { dtype: 'F32', shape: entries.get(name)?.shape ?? [], data };
  };
  return { name: file.name, entries, read, resident: file.resident };
}

function renamed(name: string, isCore: boolean): string {
  const rules = isCore ? RENAMED : RENAMED.slice(0, 1);
  return rules.reduce((current, [pattern, to]) => current.replace(pattern, to), name);
}
