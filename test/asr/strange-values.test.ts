// A value of the wrong kind at every single key of a model's config, as in the archive of a stranger: an error of the config
// or a model, never another exception. Mappings are the worst, for `String` and `Number` throw for those of a config.
import { expect, it } from 'vitest';
import { createModel } from '../../src/asr/index.js';
import { type ConfigNode, configFromText, isMapping } from '../../src/config/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { tinyModel } from './support.js';

const engine = createReferenceEngine();
const kinds = {
  CTC: {
    target: 'EncDecCTCModel',
    decoder: { _target_: 'nemo.collections.asr.modules.ConvASRDecoder', feat_in: 16 },
    joint: undefined,
  },
  RNNT: { target: 'EncDecRNNTModel' },
};
const more = {
  nemo_version: '2.4.0',
  spec_augment: { _target_: 'nemo.collections.asr.modules.SpectrogramAugmentation', freq_masks: 1 },
  optim: { name: 'adamw', lr: 0.1, sched: { name: 'NoamAnnealing', d_model: 8, warmup_steps: 10 } },
  decoding: {
    strategy: 'greedy_batch',
    ctc_timestamp_type: 'all',
    greedy: { max_symbols: 5 },
    confidence_cfg: { aggregation: 'min', method_cfg: { name: 'entropy', alpha: 0.3 } },
  },
};

type Plain = { [key: string]: unknown };

function pathsOf(section: ConfigNode, above: readonly string[] = []): string[][] {
  return Object.entries(section).flatMap(([key, value]) => [
    [...above, key],
    ...(isMapping(value) ? pathsOf(value as ConfigNode, [...above, key]) : []),
  ]);
}

function changed(model: ConfigNode, path: readonly string[], value: unknown): ConfigNode {
  const all = JSON.parse(JSON.stringify({ model })) as Plain;
  const section = ['model', ...path.slice(0, -1)].reduce((within, key) => within[key] as Plain, all);
  section[path[path.length - 1]] = value;
  // As it comes from a file: its mappings have no prototype.
  return configFromText(JSON.stringify(all)).model as ConfigNode;
}

it.each(Object.entries(kinds))('%s', (_, kind) => {
  const model = tinyModel({ ...more, ...kind });
  const found = [];
  for (const path of pathsOf(model)) {
    for (const value of [{ a: 1 }, [{ a: 1 }], 'x', null]) {
      try {
        createModel(changed(model, path, value), { engine });
      } catch (error) {
        if (!(error instanceof AnemoneError))
          found.push(`${path.join('.')}: ${JSON.stringify(value)}: ${error}`);
      }
    }
  }
  expect(found).toEqual([]);
});
