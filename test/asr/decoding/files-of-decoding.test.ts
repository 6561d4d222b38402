// Whose files decoding may read: those that the archive holds and those that the user names, not what a stranger's
// archive names on this machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import {
  type EncDecCTCModelBPE,
  type EncDecHybridRNNTCTCBPEModel,
  type EncDecRNNTBPEModel,
  restoreModel,
  type SpeechModel,
} from '../../../src/asr/index.js';
import { createReferenceEngine } from '../../../src/engine/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-decoding-files-'));
const phrases = join(folder, 'phrases.txt');
writeFileSync(phrases, 'the fox\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const archive = join(import.meta.dirname, '../../fixtures/nemo/hybrid-bpe.nemo');
const characterArchive = join(import.meta.dirname, '../../fixtures/nemo/ctc-char.nemo');
const engine = createReferenceEngine();
const audio = [Float32Array.from({ length: 8000 }, (_, i) => 0.1 * Math.sin(i / 9))];
const section = { boosting_tree: { key_phrases_file: phrases }, boosting_tree_alpha: 1 };
const restored = async (overrides: readonly string[] = []) =>
  (await restoreModel(archive, { engine }, { overrides })) as SpeechModel & EncDecRNNTBPEModel;

const named = [
  `++model.decoding.greedy.boosting_tree.key_phrases_file=${phrases}`,
  '++model.decoding.greedy.boosting_tree_alpha=1',
];

it('a file that an override names is read', async () => {
  expect(await (await restored(named)).transcribe(audio)).toHaveLength(1);
});

it('a file that only the archive names is not read', async () => {
  const path = join(folder, 'naming.nemo');
  await (await restored(named)).saveTo(path);
  const model = await restoreModel(path, { engine });
  await expect(model.transcribe(audio)).rejects.toThrow(/key_phrases_file: cannot read the phrases/);
});

it('a file that the program names is read', async () => {
  const model = await restored();
  model.changeDecoding({ strategy: 'greedy_batch', greedy: section });
  expect(await model.transcribe(audio)).toHaveLength(1);
});

it('errors of decoding name the key where the config has it', async () => {
  const missing = { boosting_tree: { key_phrases_file: join(folder, 'none.txt') }, boosting_tree_alpha: 1 };
  const hybrid = (await restored()) as SpeechModel & EncDecHybridRNNTCTCBPEModel;
  const characters = (await restoreModel(characterArchive, { engine })) as SpeechModel & EncDecCTCModelBPE;
  const key = 'greedy.boosting_tree.key_phrases_file';
  const branches: readonly (readonly [SpeechModel, string, () => void])[] = [
    [hybrid, 'model.decoding', () => hybrid.changeDecodingStrategy('rnnt', { greedy: missing })],
    [hybrid, 'model.aux_ctc.decoding', () => hybrid.changeDecodingStrategy('ctc', { greedy: missing })],
    [characters, 'model.decoding', () => characters.changeDecoding({ greedy: missing })],
  ];
  for (const [model, section, change] of branches) {
    change();
    await expect(model.transcribe(audio)).rejects.toMatchObject({ path: `${section}.${key}` });
  }
});
