// Data sets in tar archives: the same batches as from files, and what is said of archives that do not fit.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { MelFrontEnd } from '../../../src/audio/index.js';
import { configFromText } from '../../../src/config/index.js';
import {
  dataSchema,
  expandShards,
  openEvaluationSources,
  openSpeechSource,
  type SpeechBatch,
  type SpeechSource,
} from '../../../src/data/index.js';
import { tarParts } from '../../../src/formats/index.js';
import { type Corpus, type Line, makeCorpus, RATE } from './corpus.js';

const made: Corpus[] = [];
const sources: SpeechSource[] = [];
afterAll(async () => {
  for (const source of sources) await source.close();
  for (const corpus of made) corpus.remove();
});

const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

async function pack(
  path: string,
  members: readonly (readonly [name: string, file: string])[],
): Promise<void> {
  const inputs = members.map(([name, file]) => {
    const bytes = readFileSync(file);
    return { name, size: bytes.length, parts: [bytes] };
  });
  const parts: Uint8Array[] = [];
  for await (const part of tarParts(inputs)) parts.push(part);
  writeFileSync(path, Buffer.concat(parts));
}

/** Nine utterances in three archives, with a manifest an archive, as NeMo's script writes them. */
async function tarred() {
  const corpus = makeCorpus(9);
  made.push(corpus);
  const at = (name: string) => join(corpus.folder, name);
  const all = lines(corpus.manifest);
  for (const shard of [0, 1, 2]) {
    const own = all.filter((_, i) => i % 3 === shard);
    await pack(
      at(`audio_${shard}.tar`),
      own.map(({ audio_filepath: path }) => [path.replace('wavs/', ''), at(path)]),
    );
    const rows = own.map((line) => ({
      ...line,
      audio_filepath: line.audio_filepath.replace('wavs/', ''),
      shard_id: shard,
    }));
    writeFileSync(at(`manifest_${shard}.json`), rows.map((row) => JSON.stringify(row)).join('\n'));
  }
  return { corpus, at };
}

function options(yaml: string, log: string[] = []) {
  const workers = yaml.includes('num_workers') ? '' : 'num_workers: 0\n';
  return {
    name: 'train_ds',
    section: dataSchema.parse(configFromText(`batch_size: 4\n${workers}${yaml}`)),
    training: true,
    seed: 1,
    frontEnd: new MelFrontEnd({ sample_rate: RATE, features: 16, dither: 0, pad_to: 0 }),
    tokenize: (text: string) => [...text].map((c) => c.charCodeAt(0)),
    log: (line: string) => log.push(line),
  };
}

async function batches(yaml: string, log?: string[]): Promise<SpeechBatch[]> {
  const source = await openSpeechSource(options(yaml, log));
  if (!source) throw new Error('no source');
  sources.push(source);
  const found: SpeechBatch[] = [];
  for await (const batch of source.epoch(0)) found.push(batch);
  return found;
}

const archives = (at: (name: string) => string, name = 'audio_{0..2}.tar') =>
  `is_tarred: true\ntarred_audio_filepaths: "${at(name)}"`;

/** Features by transcript and length, for sets whose order differs. */
function byUtterance(all: readonly SpeechBatch[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { inputs, names, size } of all) {
    const [, frames, bins] = inputs.features.shape;
    for (let row = 0; row < size; row++) {
      const from = row * frames * bins;
      const own = inputs.features.data.slice(from, from + inputs.featureLengths.data[row] * bins);
      found.set(String(names[row].split(/[/:]/).pop()), own.join());
    }
  }
  return found;
}

describe('a data set in archives', () => {
  it('gives what its files give, in any spelling of the paths, in threads too', async () => {
    const { corpus, at } = await tarred();
    const plain = byUtterance(await batches(`manifest_filepath: ${corpus.manifest}`));
    expect(plain.size).toBe(9);
    const log: string[] = [];
    const manifests = `manifest_filepath: "${at('manifest__OP_0..2_CL_.json')}"\n`;
    const sharded = await batches(`${manifests}${archives(at)}\nshard_manifests: true`, log);
    expect(byUtterance(sharded)).toEqual(plain);
    expect(log[0]).toBe('train_ds: 3 archives hold 9 of 9 utterances');
    expect(sharded[0].names[0]).toMatch(/audio_\d\.tar:u\d\.wav$/);
    const whole = `manifest_filepath: ${corpus.manifest}\nnum_workers: 2\n`;
    expect(byUtterance(await batches(`${whole}${archives(at, 'audio_(0..2).tar')}`))).toEqual(plain);
    const cached = `${whole}${archives(at)}\nfeature_cache: ${at('cache')}`;
    await batches(cached);
    expect(byUtterance(await batches(cached))).toEqual(plain);
    expect(existsSync(at('cache'))).toBe(true);
    const nested = `is_tarred: true\ntarred_audio_filepaths: [["${at('audio_{0,1}.tar')}"], ["${at('audio_2.tar')}"]]`;
    expect(byUtterance(await batches(`${whole}${nested}`))).toEqual(plain);
  });

  it('is one set in evaluation, however many manifests it has', async () => {
    const { at } = await tarred();
    const yaml = `manifest_filepath: "${at('manifest_{0..2}.json')}"\n${archives(at)}`;
    const opened = await openEvaluationSources(options(yaml));
    sources.push(...opened);
    expect(opened.map(({ name }) => name)).toEqual(['train_ds']);
  });

  it('finds segments of a recording that is packed once, and equal names by shard_id', async () => {
    const { corpus, at } = await tarred();
    const [long] = lines(corpus.manifest).sort((a, b) => b.duration - a.duration);
    const name = long.audio_filepath.replace('wavs/', '');
    const row = (audio_filepath: string, more: object) =>
      JSON.stringify({ audio_filepath, duration: 0.3, text: 'a', ...more });
    writeFileSync(
      at('segments.json'),
      [row(name, { offset: 0 }), row(name.replace('.wav', '-sub1.wav'), { offset: 0.4 })].join('\n'),
    );
    const found = byUtterance(await batches(`manifest_filepath: ${at('segments.json')}\n${archives(at)}`));
    expect([...found.keys()]).toEqual(expect.arrayContaining([name, `${name}@0.4`]));
    await pack(at('twin_5.tar'), [['same.wav', at('wavs/u1.wav')]]);
    await pack(at('twin_7.tar'), [['same.wav', at('wavs/u2.wav')]]);
    writeFileSync(at('twins.json'), [5, 7].map((shard_id) => row('same.wav', { shard_id })).join('\n'));
    const twins = await batches(`manifest_filepath: ${at('twins.json')}\n${archives(at, 'twin_{5,7}.tar')}`);
    expect([...twins[0].names].sort()).toEqual([
      `${at('twin_5.tar')}:same.wav`,
      `${at('twin_7.tar')}:same.wav`,
    ]);
  });

  it('says what is missing, and what archives it cannot use', async () => {
    const { corpus, at } = await tarred();
    const manifest = `manifest_filepath: ${corpus.manifest}\n`;
    const log: string[] = [];
    expect(byUtterance(await batches(`${manifest}${archives(at, 'audio_{0..1}.tar')}`, log)).size).toBe(6);
    expect(log.join('\n')).toMatch(
      /warning: 3 utterances are in no archive; the first is .*train\.jsonl:3: u2\.wav/,
    );
    await pack(at('other.tar'), [['x.wav', at('wavs/u1.wav')]]);
    const failing = (name: string) => batches(`${manifest}${archives(at, name)}`);
    await expect(failing('other.tar')).rejects.toMatchObject({ code: 'data.not-in-archives' });
    await expect(failing('audio_{0..3}.tar')).rejects.toThrow(/audio_3\.tar: no such file/);
    writeFileSync(at('audio.tar.gz'), gzipSync(readFileSync(at('audio_0.tar'))));
    await expect(failing('audio.tar.gz')).rejects.toThrow(/the archive is compressed — unpack/);
    truncateSync(at('audio_1.tar'), 3000);
    await expect(failing('audio_1.tar')).rejects.toMatchObject({ code: 'tar.truncated' });
    const remote = `${manifest}is_tarred: true\ntarred_audio_filepaths: "pipe:aws s3 cp s3://x/audio_{0..3}.tar -"`;
    await expect(batches(remote)).rejects.toThrow(/only archives in the file system/);
    await batches(`${manifest}tarred_audio_filepaths: x.tar`, log);
    expect(log.at(-2)).toContain('tarred_audio_filepaths is not used: is_tarred is false');
  });

  it('may have been packed by tar', async () => {
    const { corpus, at } = await tarred();
    for (const format of ['gnu', 'pax', 'ustar']) {
      execFileSync('tar', ['-C', corpus.folder, `--format=${format}`, '-cf', at('gnu.tar'), 'wavs']);
      const found = await batches(`manifest_filepath: ${corpus.manifest}\n${archives(at, 'gnu.tar')}`);
      expect(byUtterance(found).size).toBe(9);
    }
  });
});

describe('paths of shards', () => {
  it('expand as in bash', () => {
    expect(expandShards('a_{0..3}.tar')).toEqual(['a_0.tar', 'a_1.tar', 'a_2.tar', 'a_3.tar']);
    expect(expandShards('{x,y}/{08..10}.tar')).toEqual([
      'x/08.tar',
      'x/09.tar',
      'x/10.tar',
      'y/08.tar',
      'y/09.tar',
      'y/10.tar',
    ]);
    expect(expandShards('{2..0}')).toEqual(['2', '1', '0']);
    expect(expandShards(['b__OP_0..1_CL_', ['c<1..2>', 'd (1).tar']])).toEqual([
      'b_0',
      'b_1',
      'c1',
      'c2',
      'd (1).tar',
    ]);
    expect(expandShards('{a,{b,c}d}.{odd}')).toEqual(['a.{odd}', 'bd.{odd}', 'cd.{odd}']);
    expect(() => expandShards('{0..999999999}')).toThrow(/more than 100000 paths/);
  });
});
