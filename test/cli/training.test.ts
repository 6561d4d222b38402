// The commands around training, in this process, on tone speech: train, resume, validate, test, transcribe,
// replay.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toYaml } from '../../src/config/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { tinyModel, toneSpeech } from '../asr/support.js';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-train-'));
const config = join(folder, 'tone.yaml');
const out = (...parts: string[]) => join(folder, ...parts);

beforeAll(() => {
  const texts = ['ab', 'ba', 'c a', 'bc', 'cab', 'b a'];
  const rows = texts.map((text, i) => {
    const samples = toneSpeech(text, i);
    writeFileSync(out(`${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
    return JSON.stringify({ audio_filepath: `${i}.wav`, duration: samples.length / 8000, text });
  });
  writeFileSync(out('all.json'), `${rows.join('\n')}\n`);
  const set = { manifest_filepath: out('all.json'), sample_rate: 8000, batch_size: 3, num_workers: 0 };
  const model = tinyModel({
    target: 'EncDecRNNTModel',
    train_ds: { ...set, shuffle: true },
    validation_ds: set,
    test_ds: set,
    optim: { name: 'adamw', lr: 0.01 },
  });
  writeFileSync(
    config,
    `${toYaml({ name: 'tone', model })}
trainer: {max_epochs: 2, log_every_n_steps: 1, engine: {name: onnxruntime, threads: 1}}
exp_manager:
  exp_dir: ${folder}
  name: \${name}
  resume_if_exists: true
  resume_ignore_no_checkpoint: true
  create_tensorboard_logger: true
  checkpoint_callback_params: {monitor: val_wer}
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('anemone train --dry-run', () => {
  it('opens all data, prints the plan, writes nothing', async () => {
    const { code, out: text, err } = await anemone('train', config, '--dry-run');
    expect(code, err).toBe(0);
    expect(text).toMatch(/^train_ds, validation_ds, test_ds opened; .* 2 batches an epoch, 4 steps$/m);
    expect(text).toMatch(/^ {2}parameters and buffers +\d+ MiB$/m);
    expect(text).toMatch(/^it fits: .* are free/m);
    expect(text).toMatch(/^ {2}encoder/m);
    expect(existsSync(out('tone'))).toBe(false);
  });

  it('ends with 2 where data or config are not usable', async () => {
    const noData = await anemone(
      'train',
      config,
      '--dry-run',
      'model.test_ds.manifest_filepath=nowhere.json',
    );
    expect(noData).toMatchObject({ code: 2, out: '' });
    expect(noData.err).toMatch(/model\.test_ds\.manifest_filepath: .*nowhere\.json/);
    const badCheck = await anemone('train', config, '--dry-run', '+trainer.memory_check=maybe');
    expect(badCheck.code).toBe(2);
    expect(badCheck.err).toMatch(
      /trainer\.memory_check: expected true or false or "warn", got the text "maybe"/,
    );
    expect(existsSync(out('tone'))).toBe(false);
  });
});

describe('anemone train', () => {
  it('trains, tests and says where everything is', async () => {
    const { code, out: text, err } = await anemone('train', config);
    expect(err).toMatch(
      /step 1\/4 \| epoch 1\/2 \| loss .* utt\/s \| .* audio-s\/s \| data wait \d+% \| \d+ compiled/,
    );
    expect(err).toMatch(/validation at step 4: val\/wer/);
    expect(code, err).toBe(0);
    expect(text).toMatch(/test\/wer: \d+\.\d\d%[\s\S]*ref /);
    expect(text).toMatch(/checkpoint: .*\.ckpt\nTensorBoard: .*\nreport: .*report\.html\n$/);
    expect(readFileSync(out('tone', 'report.html'), 'utf8')).toContain('Alignment in the transducer lattice');
  });

  it('opens the test set before the first step: what is wrong with it is told then', async () => {
    const { code, err } = await anemone(
      'train',
      config,
      'name=early',
      `model.test_ds.manifest_filepath=${out('none.json')}`,
    );
    expect(code).toBe(2);
    expect(err).toMatch(/none\.json: there is no such manifest/);
    expect(err).not.toMatch(/step 1\//);
  });

  it('goes on where it stopped', async () => {
    const { code, err } = await anemone('train', config, 'trainer.max_epochs=3', '--no-test');
    expect(code, err).toBe(0);
    expect(err).toMatch(/resumed from .* \(step 4\)/);
    expect(err).toMatch(/step 5\/6/);
  });

  it.each([
    ['init_from_nemo_modle', /did you mean "init_from_nemo_model"/],
    ['init_from_safetensors', /weights start from init_from_nemo_model or init_from_ptl_ckpt/],
  ])('says that %s starts from no file', async (key, hint) => {
    const { err } = await anemone('train', config, `+${key}=weights.safetensors`, '+free=1', '--no-test');
    const told = err.split('\n').filter((line) => line.includes('has no effect'));
    expect(told).toEqual([expect.stringMatching(new RegExp(`"${key}" has no effect: .*${hint.source}`))]);
  });

  it('shows line ends and escapes of paths, and obeys none', async () => {
    const odd = out('a\nerror: b\x1b[2J');
    const at = `exp_manager.explicit_log_dir='${odd}'`;
    const said = [
      await anemone('train', config, `+${at}`, 'trainer.max_epochs=1'),
      await anemone('export', odd, `${odd}.safetensors`),
      await anemone('inspect', odd),
      await anemone('inspect', `${odd}.safetensors`),
      await anemone('transcribe', odd, out('0.wav'), '--output', `${odd}.json`),
      await anemone('transcribe', odd, `${odd}.wav`),
      await anemone('manifest', 'check', `${odd}.json`, `${odd}.none`),
      await anemone('tokenizer', 'train', '--manifest', `${odd}.json`, '--vocab-size', '9'),
      await anemone('tokenizer', 'special', 'en', '--out', `${odd}.spl`),
      await anemone('config', 'print', `${odd}.yaml`),
      await anemone('replay', odd),
      await anemone(odd),
      await anemone('train', `--${odd}`),
    ];
    expect(said.slice(0, 5).map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    for (const { out: text, err } of said) {
      expect(`${text}${err}`).toContain('a\\x0aerror: b\\x1b[2J');
      expect(`${text}${err}`).not.toMatch(/^error: b/m);
    }
  });

  it('gives one line for mistakes', async () => {
    expect(await anemone('train', out('none.yaml'))).toMatchObject({ code: 2 });
    const wrong = await anemone('train', config, 'model.optim.lr=fast');
    expect(wrong.err).toMatch(/^error: .*model.optim.lr: expected a number, got .*fast/);
    writeFileSync(out('odd.yaml'), 'modle: {}\nmodel: {}\n');
    expect((await anemone('train', out('odd.yaml'))).err).toMatch(/unknown section.*did you mean "model"/);
    const misplaced = await anemone('transcribe', out('tone'), 'x.wav', '--set', '+decoding.strategy=greedy');
    expect(misplaced).toMatchObject({ code: 2 });
    expect(misplaced.err).toMatch(/^error: [^\n]*did you mean "\+model\.decoding\.strategy=greedy"\?\n$/);
    const other = await anemone('train', config, 'model.encoder.d_model=8');
    expect(other.code).toBe(2);
    expect(other.err).toMatch(/another architecture[\s\S]*of another shape: encoder\./);
  });
});

describe('a trained model', () => {
  it('is validated and tested', async () => {
    const { code, out: text } = await anemone('validate', out('tone'), '--json', '--samples', '2');
    expect(code).toBe(0);
    const found = JSON.parse(text) as { metrics: Record<string, number>; samples: unknown[] };
    expect(Object.keys(found.metrics).sort()).toEqual(['val/cer', 'val/loss', 'val/wer']);
    expect(found.samples).toHaveLength(2);
    writeFileSync(out('one.json'), readFileSync(out('all.json'), 'utf8').split('\n')[0]);
    const tested = await anemone('test', out('tone'), '--manifest', out('one.json'), '--engine', 'reference');
    expect(tested.out).toMatch(/^test\/wer: /);
    expect(tested.out.match(/ref /g)).toHaveLength(1);
  });

  it('transcribes files and manifests, and names what it cannot read', async () => {
    const files = await anemone('transcribe', out('tone'), out('0.wav'), out('missing.wav'));
    expect(files.code).toBe(2);
    expect(files.out).toMatch(/^.*0\.wav\t.*\n$/);
    expect(files.err).toMatch(/error: .*missing.wav.*no such file/);
    process.exitCode = undefined;
    const listed = await anemone(
      'transcribe',
      out('tone'),
      '--manifest',
      out('all.json'),
      '--output',
      out('pred.json'),
    );
    expect(listed.code).toBe(0);
    expect(listed.err).toMatch(/6 transcripts in .*pred\.json\nword error rate of 6: \d/);
    const nowhere = await anemone('transcribe', out('tone'), out('0.wav'), '--output', out('no/pred.json'));
    expect(nowhere.code).toBe(2);
    expect(nowhere.err).toMatch(/^error: --output: cannot write the transcripts: ENOENT/m);
    const rows = readFileSync(out('pred.json'), 'utf8').trim().split('\n');
    expect(rows).toHaveLength(6);
    const lines = readFileSync(out('all.json'), 'utf8').trim().split('\n');
    expect(rows.map((row) => JSON.parse(row))).toEqual(
      lines.map((line) => ({ ...JSON.parse(line), pred_text: expect.any(String) })),
    );
  });

  it('reaches no file of this machine that the user does not name', async () => {
    const [name] = readdirSync(out('tone', 'checkpoints')).filter((entry) => entry.endsWith('.ckpt'));
    const copy = join(mkdtempSync(join(tmpdir(), 'stranger-')), 'stranger.ckpt');
    cpSync(out('tone', 'checkpoints', name), copy, { recursive: true });
    writeFileSync(out('lm.arpa'), '\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <s> 0\n-1 </s>\n-1 a\n\n\\end\\\n');
    const text = readFileSync(join(copy, 'config.yaml'), 'utf8');
    const greedy = `{ngram_lm_model: ${out('lm.arpa')}, ngram_lm_alpha: 1}`;
    const changed = Buffer.from(`${text}`.replace(/^model:\n/m, `model:\n  decoding: {greedy: ${greedy}}\n`));
    writeFileSync(join(copy, 'config.yaml'), changed);
    const manifest = JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8')) as {
      files: Record<string, unknown>;
    };
    const sha256 = createHash('sha256').update(changed).digest('hex');
    manifest.files['config.yaml'] = { bytes: changed.length, sha256 };
    writeFileSync(join(copy, 'manifest.json'), JSON.stringify(manifest));
    const sealed = await anemone('transcribe', copy, out('0.wav'));
    expect(sealed.err).toMatch(/ngram_lm_model.*may not name files of this machine/);
    expect(sealed.code).toBe(2);
    const named = `model.decoding.greedy.ngram_lm_model=${out('lm.arpa')}`;
    expect((await anemone('transcribe', copy, out('0.wav'), '--set', named)).err).not.toMatch(/machine/);
  });

  it('is exported to ONNX', async () => {
    const { code, err } = await anemone('export', out('tone'), out('tone.onnx'), '--max-frames', '300');
    expect(code, err).toBe(0);
    expect(err).toMatch(/encoder-tone\.onnx is of the model of .*\.ckpt\n.*decoder_joint-tone\.onnx is/);
    expect(existsSync(out('encoder-tone.onnx')) && existsSync(out('decoder_joint-tone.onnx'))).toBe(true);
    expect((await anemone('export', out('tone'), out('tone.pb'))).err).toMatch(/must end in .* or \.onnx/);
    const wrong = await anemone('export', out('tone'), out('x.onnx'), '--max-frames', 'many');
    expect(wrong.err).toMatch(/--max-frames: expected a whole number/);
  });

  it('is asked for nothing or for something that is not there', async () => {
    expect((await anemone('transcribe', out('tone'))).err).toMatch(/name audio files or a --manifest/);
    expect((await anemone('test', out('nowhere'))).err).toMatch(/no such checkpoint — found in .*: .*\btone/);
    expect((await anemone('validate', out('toen'))).err).toMatch(
      /no such checkpoint — did you mean .*tone\?/,
    );
    expect((await anemone('transcribe', folder, out('0.wav'))).err).toMatch(
      /no checkpoint here — found in .*: .*\btone/,
    );
    expect((await anemone('test', out('tone'), '--weights', 'ema')).err).toMatch(/no averaged weights/);
  });
});

describe('anemone replay', () => {
  it('repeats what training printed', async () => {
    const changes = ['exp_manager.name=broken', 'model.optim.lr=1e20', '--no-test'];
    const { code, err } = await anemone('train', config, ...changes);
    expect(code).toBe(2);
    expect(err).toMatch(/first not finite: [\s\S]*utterances: [\s\S]*anemone replay/);
    const diagnosis = out('broken', 'diagnosis');
    const dump = join(diagnosis, readdirSync(diagnosis)[0]);
    expect(existsSync(join(dump, 'batch.safetensors'))).toBe(true);
    const again = await anemone('replay', dump);
    expect(again.code, again.err).toBe(0);
    expect(again.out).toBe(readFileSync(join(dump, 'explanation.txt'), 'utf8'));
    expect((await anemone('replay', out('broken'))).err).toMatch(
      /no step.json.* — found nearby: .*nonfinite-step=/,
    );
  });
});
