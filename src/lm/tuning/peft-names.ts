// How the linear maps of a network are called by Hugging Face's PEFT: maps of ours stand for several of theirs, or theirs for
// several of ours (GPT-2's c_attn).
import { type LinearPlace, rowsOf } from '../../adapters/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { NetworkOptions } from '../network.js';

/** A map of theirs, and which rows of ours are its rows. */
export interface PeftMap {
  /** `base_model.model.model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  /** Its last parts, as `target_modules` has it. */
  readonly target: string;
  /** The part of our map; `''` is all of it. */
  readonly part: string;
  /** Our row for each of theirs. */
  readonly rows: readonly number[];
}

/** Kinds of maps by the last part of their names, in Megatron's versions. */
const KINDS: Readonly<Record<string, 'qkv' | 'projection' | 'up' | 'down'>> = {
  linear_qkv: 'qkv',
  query_key_value: 'qkv',
  linear_proj: 'projection',
  dense: 'projection',
  linear_fc1: 'up',
  dense_h_to_4h: 'up',
  linear_fc2: 'down',
  dense_4h_to_h: 'down',
};

/** NeMo's words for their names. */
export const WORDS: Readonly<Record<string, string>> = {
  'attn.c_attn': 'attention_qkv',
  'attn.c_proj': 'attention_dense',
  'mlp.c_fc': 'mlp_fc1',
  'mlp.c_proj': 'mlp_fc2',
};

/** Whether transformers has the network as GPT-2, whose maps are stored transposed. */
export function isGpt2({ learnsPositions }: Pick<NetworkOptions, 'learnsPositions'>): boolean {
  return learnsPositions;
}

/**
 * The maps of theirs that a map of ours stands for.
 * @throws AnemoneError `lm.peft` for a map that has no name there
 */
export function peftMaps(place: Pick<LinearPlace, 'map'>, network: NetworkOptions): readonly PeftMap[] {
  const { map } = place;
  const layer = /\.layers\.(\d+)\./.exec(map.path)?.[1];
  const kind = KINDS[map.path.slice(map.path.lastIndexOf('.') + 1)];
  if (layer === undefined || kind === undefined) throw nameless(map.path);
  const made = (root: string, target: string, part: string, rows: readonly number[]): PeftMap => ({
    name: `base_model.model.${root}.${layer}.${target}`,
    target: root === 'transformer.h' ? target : target.slice(target.indexOf('.') + 1),
    part,
    rows,
  });
  const parts = map.rows?.parts.map(({ name }) => name) ?? [];
  if (isGpt2(network)) {
    const target = { qkv: 'attn.c_attn', projection: 'attn.c_proj', up: 'mlp.c_fc', down: 'mlp.c_proj' }[kind]; // biome-ignore format: one line
    const rows = kind === 'qkv' ? parts.flatMap((part) => rowsOf(map, part)) : rowsOf(map, '');
    return [made('transformer.h', target, '', rows)];
  }
  const names = kind === 'qkv' || (kind === 'up' && parts.length > 0) ? parts : [{ projection: 'o', up: 'up', down: 'down', qkv: '' }[kind]]; // biome-ignore format: one line
  const block = kind === 'qkv' || kind === 'projection' ? 'self_attn' : 'mlp';
  return names.map((name) => {
    const part = parts.length > 0 ? name : '';
    return made('model.layers', `${block}.${name}_proj`, part, rowsOf(map, part));
  });
}

function nameless(path: string): AnemoneError {
  return new AnemoneError({ code: 'lm.peft', path, message: 'PEFT has no name for this map' });
}
