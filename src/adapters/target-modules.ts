// Which linear maps of a network a low-rank adapter stands beside: NeMo's words, names of maps, or patterns over their paths.
import { AnemoneError, didYouMean } from '../errors/index.js';
import { Linear, type Module, namePattern } from '../nn/index.js';

/** A map, and the parts of it that are adapted each by itself; none: the map as one. */
export interface AdaptedMap {
  readonly map: Linear;
  readonly parts: readonly string[];
}

/** NeMo's words for maps, by the last parts of their names in language and speech models. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  attention_qkv: ['linear_qkv', 'query_key_value', 'linear_q', 'linear_k', 'linear_v', 'query_net', 'key_net', 'value_net'], // biome-ignore format: one line
  attention_dense: ['linear_proj', 'dense', 'linear_out', 'out_projection'],
  mlp_fc1: ['linear_fc1', 'dense_h_to_4h', 'linear1', 'dense_in'],
  mlp_fc2: ['linear_fc2', 'dense_4h_to_h', 'linear2', 'dense_out'],
};
const UNIONS: Readonly<Record<string, readonly string[]>> = {
  attention: ['attention_qkv', 'attention_dense'],
  mlp: ['mlp_fc1', 'mlp_fc2'],
  all: ['attention_qkv', 'attention_dense', 'mlp_fc1', 'mlp_fc2'],
};
/** Names of one part of a map that stands for several: Megatron's, then Hugging Face's. */
const PARTS: Readonly<Record<string, readonly [string, string]>> = {
  linear_q: ['attention_qkv', 'q'],
  linear_k: ['attention_qkv', 'k'],
  linear_v: ['attention_qkv', 'v'],
  linear_fc1_gate: ['mlp_fc1', 'gate'],
  linear_fc1_up: ['mlp_fc1', 'up'],
  q_proj: ['attention_qkv', 'q'],
  k_proj: ['attention_qkv', 'k'],
  v_proj: ['attention_qkv', 'v'],
  gate_proj: ['mlp_fc1', 'gate'],
  up_proj: ['mlp_fc1', 'up'],
};
/** Hugging Face's names of whole maps. */
const ALIASES: Readonly<Record<string, string>> = { o_proj: 'attention_dense', down_proj: 'mlp_fc2' };

/** How maps are chosen, under NeMo's keys. */
export interface TargetOptions {
  readonly target_modules: readonly string[];
  /** Whether each part of a fused map gets a pair of its own. */
  readonly variant: 'nemo' | 'canonical';
  /** Layers by number from 1 on; null: all. */
  readonly layer_selection: readonly number[] | null;
}

/**
 * The maps below modules that the options name.
 * @throws AnemoneError `adapter.target` for a word that names none
 */
export function adaptedMaps(
  roots: readonly Module[],
  options: TargetOptions,
  path: string,
): readonly AdaptedMap[] {
  const maps = roots.flatMap((root) => [...root.modules()].filter((module) => module instanceof Linear));
  const chosen = new Map<Linear, Set<string> | 'whole'>();
  for (const word of options.target_modules) {
    const found = maps.flatMap((map) => mapsOf(word, map));
    if (found.length === 0) throw noTarget(word, maps, path);
    for (const { map, part } of found) {
      const before = chosen.get(map);
      if (part === undefined || before === 'whole') chosen.set(map, 'whole');
      else chosen.set(map, new Set([...(before ?? []), part]));
    }
  }
  const inLayer = ({ path }: Linear): boolean => {
    const layer = /\.(?:layers|h)\.(\d+)\./.exec(path)?.[1];
    return !options.layer_selection || (layer !== undefined && options.layer_selection.includes(Number(layer) + 1)); // biome-ignore format: one line
  };
  const adapted = [...chosen].filter(([map]) => inLayer(map));
  if (adapted.length === 0) throw noLayer(options.layer_selection, path);
  return adapted.map(([map, parts]) => ({ map, parts: partsOf(map, parts, options.variant) }));
}

function mapsOf(word: string, map: Linear): { map: Linear; part: string | undefined }[] {
  const last = map.path.slice(map.path.lastIndexOf('.') + 1);
  const whole = [{ map, part: undefined }];
  if (word.includes('*')) return namePattern(word)(map.path) ? whole : [];
  const kinds = UNIONS[word] ?? (Object.hasOwn(WORDS, word) ? [word] : ALIASES[word] ? [ALIASES[word]] : []);
  if (kinds.some((kind) => WORDS[kind].includes(last))) return whole;
  if (map.path === word || map.path.endsWith(`.${word}`)) return whole;
  const [kind, part] = PARTS[word] ?? [];
  const isPart = kind !== undefined && WORDS[kind].includes(last);
  return isPart && map.rows?.parts.some(({ name }) => name === part) ? [{ map, part }] : [];
}

/** Parts in the order of the rows. */
function partsOf(map: Linear, chosen: Set<string> | 'whole', variant: TargetOptions['variant']): string[] {
  const all = map.rows?.parts.map(({ name }) => name) ?? [];
  if (chosen === 'whole') return variant === 'canonical' ? all : [];
  return all.filter((name) => chosen.has(name));
}

function noTarget(word: string, maps: readonly Linear[], path: string): AnemoneError {
  const names = [...new Set(maps.map(({ path }) => path.slice(path.lastIndexOf('.') + 1)))];
  const known = [...Object.keys(UNIONS), ...Object.keys(WORDS), ...Object.keys(PARTS), ...names];
  return new AnemoneError({
    code: 'adapter.target',
    path: `${path}.target_modules`,
    message: `"${word}" names no linear map of this model`,
    hint:
      didYouMean(word, known) ??
      `its maps are called ${names.slice(0, 8).join(', ')}; or use all, attention, mlp`,
  });
}

function noLayer(selection: readonly number[] | null, path: string): AnemoneError {
  return new AnemoneError({
    code: 'adapter.target',
    path: `${path}.layer_selection`,
    message: `no layer is in [${selection?.join(', ')}]`,
    hint: 'layers are counted from 1',
  });
}
