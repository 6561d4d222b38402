import { describe, expect, it } from 'vitest';
import { PieceType, readSentencePieceModel, writeSentencePieceModel } from '../../src/formats/index.js';
import { fixtureBytes } from '../text/fixtures.js';

describe('SentencePiece model files', () => {
  for (const name of ['test_model.model', 'test_ja_model.model']) {
    it(`${name} is the same after writing and reading`, () => {
      const model = readSentencePieceModel(fixtureBytes(name));
      const again = readSentencePieceModel(writeSentencePieceModel(model));
      expect(again.pieces).toEqual(model.pieces);
      expect(again.trainerSpec).toEqual(model.trainerSpec);
      const { precompiledCharsmap: map, ...flags } = model.normalizerSpec;
      const { precompiledCharsmap: mapAgain, ...flagsAgain } = again.normalizerSpec;
      expect(flagsAgain).toEqual(flags);
      expect(Buffer.compare(mapAgain, map)).toBe(0);
    });
  }

  it('reads pieces and specs', () => {
    const model = readSentencePieceModel(fixtureBytes('test_model.model'));
    expect(model.pieces).toHaveLength(1000);
    expect(model.pieces.slice(0, 3).map(({ type }) => type)).toEqual([
      PieceType.unknown,
      PieceType.control,
      PieceType.control,
    ]);
    expect(model.trainerSpec.modelType).toBe('unigram');
    expect(model.normalizerSpec.precompiledCharsmap.length).toBeGreaterThan(200_000);
  });
});
