// The tokenizer that a model's section names: by type, by the path of NeMo's class, or a component of the user's.
import { describe, expect, it } from 'vitest';
import { createModel, type SpeechModel } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { type ConfigNode, configFromText, defineSchema, toYaml } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { CharTokenizer, SentencePieceTokenizer, tokenizerKind } from '../../src/text/index.js';
import { tinyModel } from './support.js';

const letters = component({
  kind: tokenizerKind,
  name: 'LetterTokenizer',
  schema: defineSchema('LetterTokenizer', {
    letters: { doc: 'Each is a token.', format: 'string' },
  }),
  create: ({ letters }) => new CharTokenizer([...letters]),
});

function modelWith(tokenizer: object): SpeechModel {
  const plain = toYaml(tinyModel({ labels: undefined, tokenizer }) as ConfigNode);
  const { model } = configFromText(`model:\n${plain.replace(/^/gm, '  ')}`, [], { file: 'own.yaml' });
  return createModel(model, { container: createDefaultContainer().registerAll([letters]) }) as SpeechModel;
}

describe('model.tokenizer', () => {
  const model_path = 'test/fixtures/text/test_model.model';
  const path = 'nemo.collections.common.tokenizers.sentencepiece.SentencePieceTokenizer';

  it.each([
    { type: path, model_path },
    { _target_: path, model_path },
    { _target_: 'SentencePieceTokenizer', model_path },
  ])("takes NeMo's class where the type stands: %j", (section) =>
    expect(modelWith(section).tokenizer).toBeInstanceOf(SentencePieceTokenizer),
  );

  it('builds a component of the user, whose keys are checked', () => {
    expect(modelWith({ _target_: 'LetterTokenizer', letters: 'ab ' }).tokenizer.vocabulary).toEqual([
      'a',
      'b',
      ' ',
    ]);
    expect(() => modelWith({ _target_: 'LetterTokenizer', leters: 'ab' })).toThrow(
      /own\.yaml:\d+:\d+: model\.tokenizer\.leters: LetterTokenizer has no key "leters" — did you mean "letters"/,
    );
  });

  it('names a class that nobody knows, and a type', () => {
    expect(() => modelWith({ _target_: 'LettersTokenizer', letters: 'ab' })).toThrow(
      /there is no tokenizer named "LettersTokenizer"/,
    );
    expect(() => modelWith({ type: 'nemo.x.YouTokenizer', model_path })).toThrow(
      /unknown tokenizer type "nemo.x.YouTokenizer"/,
    );
  });
});
