import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Corpus, makeCorpus } from '../data/speech/corpus.js';
import { anemone } from './anemone.js';

const corpora: Corpus[] = [];
afterEach(() => {
  for (const made of corpora.splice(0)) made.remove();
});

function corpus(): Corpus {
  const made = makeCorpus(6);
  corpora.push(made);
  return made;
}

describe('anemone manifest check', () => {
  it('prints a report; 0 when fit, 2 when not', async () => {
    const { manifest } = corpus();
    const good = await anemone('manifest', 'check', manifest, '--workers', '0');
    expect(good).toMatchObject({ code: 0, err: '' });
    expect(good.out).toContain('6 utterances');
    appendFileSync(manifest, '{"audio_filepath": "none.wav", "duration": 1, "text": "a"}\n');
    const bad = await anemone('manifest', 'check', manifest, '--workers', '0');
    expect(bad.code).toBe(2);
    expect(bad.out).toContain(`${manifest}:7:`);
    const json = await anemone('manifest', 'check', manifest, '--json', '--workers', '0');
    expect(JSON.parse(json.out)).toMatchObject({ utterances: 7, fatal: true });
  });

  it('takes manifests, characters, loss and bounds from a config', async () => {
    const { folder, manifest } = corpus();
    const config = join(folder, 'c.yaml');
    writeFileSync(
      config,
      `model:
  labels: [b]
  preprocessor: {_target_: AudioToMelSpectrogramPreprocessor, sample_rate: 8000}
  encoder: {subsampling_factor: 4}
  train_ds: {manifest_filepath: ${manifest}, max_duration: 0.9}
  validation_ds: {manifest_filepath: ???}
`,
    );
    const { code, out } = await anemone('manifest', 'check', '--config', config, '--workers', '0', '--json');
    const report = JSON.parse(out) as { findings: { kind: string }[] };
    expect(code).toBe(2);
    expect(new Set(report.findings.map((f) => f.kind))).toEqual(new Set(['unknown-characters', 'too-long']));
  });

  it('answers wrong use with one line and 2', async () => {
    expect((await anemone('manifest', 'check')).code).toBe(2);
    expect((await anemone('manifest', 'check', 'x', '--loss', 'mse')).err).toContain('--loss is ctc or rnnt');
    expect((await anemone('manifest', 'check', 'x', '--limit', 'many')).err).toContain('an integer ≥ 0');
    const none = await anemone('manifest', 'check', '/no/such/file.jsonl');
    expect(none.code).toBe(2);
    expect(none.out).toContain('there is no such manifest');
  });
});
