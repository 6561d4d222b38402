// The section `spl_tokens` of NeMo's multitask configs.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withSpecialTokens } from '../../src/cli/special-tokens.js';
import { configFromText, selectValue } from '../../src/config/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-special-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const dir = join(folder, 'spl');

/** As NeMo's fast-conformer_aed.yaml has it. */
const yaml = (section: string) => `
spl_tokens:
${section}
model:
  tokenizer:
    type: agg
    langs:
      spl_tokens: {dir: null, type: bpe}
      en: {dir: en, type: bpe}
`;
const whole = `  model_dir: ${dir}\n  tokens: [translate, transcribe, en, de]\n  force_rebuild: False`;

describe('spl_tokens', () => {
  it('makes the tokenizer and tells the model where it is', () => {
    const config = withSpecialTokens(configFromText(yaml(whole)));
    expect(selectValue(config, 'model.tokenizer.langs.spl_tokens')).toEqual({ dir, type: 'bpe' });
    expect(selectValue(config, 'model.tokenizer.langs.en.dir')).toBe('en');
    const vocabulary = readFileSync(join(dir, 'tokenizer.vocab'), 'utf8');
    for (const token of ['<|translate|>', '<|de|>', '<|startoftranscript|>']) {
      expect(vocabulary).toContain(token);
    }
  });

  it('is made once, or each time where that is asked for', () => {
    const made = statSync(join(dir, 'tokenizer.model')).mtimeMs;
    withSpecialTokens(configFromText(yaml(whole)));
    expect(statSync(join(dir, 'tokenizer.model')).mtimeMs).toBe(made);
    withSpecialTokens(configFromText(yaml(whole.replace('False', 'True').replace('de]', 'fr]'))));
    expect(readFileSync(join(dir, 'tokenizer.vocab'), 'utf8')).toContain('<|fr|>');
  });

  it('says what is missing', () => {
    const lacking = () => withSpecialTokens(configFromText(yaml('  model_dir: ???\n  tokens: [en]')));
    expect(lacking).toThrow(/spl_tokens\.model_dir/);
  });

  it('leaves other configs alone', () => {
    const config = configFromText('model: {}');
    expect(withSpecialTokens(config)).toBe(config);
    // A folder that is given needs no section, and the section need not be filled in.
    const given = configFromText(yaml('  model_dir: ???').replace('dir: null', 'dir: mine'));
    expect(withSpecialTokens(given)).toBe(given);
  });
});
