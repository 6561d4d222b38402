// `anemone components`: the list, one component's help, and a mistyped name.
import { describe, expect, it } from 'vitest';
import { describeComponents } from '../../src/cli/components.js';
import { fullContainer } from '../container/fixtures.js';

describe('anemone components', () => {
  it('lists names by kind', async () => {
    expect(await describeComponents(fullContainer())).toBe(
      'encoder: ConformerEncoder\ntokenizer: bpe\noptimizer: adamw\nmodel: TinyModel\n',
    );
  });

  it('prints the keys of one, by any of its names', async () => {
    const help = await describeComponents(fullContainer(), 'asr.modules.ConformerEncoder');
    expect(help).toContain('encoder ConformerEncoder\n  d_model  (an integer ≥ 1; required)\n      Width.\n');
    expect(help).toContain('feat_in  (an integer; default 80)');
  });

  it('suggests a name for a mistyped one', async () => {
    await expect(describeComponents(fullContainer(), 'admaw')).rejects.toThrow('did you mean "adamw"?');
  });
});
