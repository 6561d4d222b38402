import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  describeDropped,
  filterEntries,
  manifestFiles,
  readManifests,
  requireSome,
  scanManifests,
} from '../../../src/data/index.js';
import type { AnemoneErrors } from '../../../src/errors/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-manifest-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function manifest(content: string | Buffer): string {
  const file = join(folder, `m${files++}.jsonl`);
  writeFileSync(file, content);
  return file;
}
const line = (fields: object) =>
  JSON.stringify({ audio_filepath: 'a.wav', duration: 1, text: 'x', ...fields });

describe('reading', () => {
  it('resolves paths against the manifest and reads the keys of NeMo', async () => {
    const file = manifest(
      `${[
        line({ audio_filepath: 'sub/a.wav', speaker: 12, lang: 'en', offset: 0.5, orig_sample_rate: 44100 }),
        line({ audio_filepath: '/abs/b.flac', labels: ['up', 'down'] }),
        line({ audio_filepath: undefined, audio_filename: '~/c.wav', label: 'yes', unknown_key: [1] }),
      ].join('\n')}`,
    );
    const [a, b, c] = await readManifests(file);
    expect(a).toEqual({
      audioPath: join(folder, 'sub/a.wav'),
      offset: 0.5,
      duration: 1,
      text: 'x',
      speaker: '12',
      lang: 'en',
      origSampleRate: 44100,
      source: { file, line: 1 },
    });
    expect(b).toMatchObject({ audioPath: '/abs/b.flac', label: 'up down' });
    expect(c).toMatchObject({ audioPath: join(homedir(), 'c.wav'), label: 'yes' });
  });

  it.each([
    [{ text: null }, 'text: is null — the transcript'],
    [{ audio_filepath: null }, 'audio_filepath: is null — the path'],
    [{ duration: null }, 'duration: expected a number, got null'],
    [{ duration: 1e9 }, 'duration: is 1000000000 s, which no recording has'],
    [{ duration: -1 }, 'duration: must be more than 0, is -1'],
    [{ duration: '3' }, 'duration: expected a number, got the string "3" — remove the quotes'],
  ])('%j is one mistake', async (fields, message) => {
    const { errors } = await scanManifests(manifest(line(fields)));
    expect(errors).toHaveLength(1);
    expect(errors[0].message).toContain(`:1: ${message}`);
    expect(errors[0].message).not.toContain('is meant');
    expect(errors[0].message).not.toMatch(/is ".*" meant/);
  });

  it('keeps whole lines where they are asked for', async () => {
    const file = manifest(line({ speaker: 7, note: { a: 1 } }));
    const [entry] = await readManifests(file, { keepLine: true });
    expect(entry.line).toEqual({
      audio_filepath: 'a.wav',
      duration: 1,
      text: 'x',
      speaker: 7,
      note: { a: 1 },
    });
    expect((await readManifests(file))[0]).not.toHaveProperty('line');
  });

  it('takes transcripts from text_filepath and normalized_text, and none where none is needed', async () => {
    writeFileSync(join(folder, 't.txt'), '\uFEFFhello\r\nthere\n');
    const file = manifest(
      `${line({ text: undefined, text_filepath: 't.txt' })}\n${line({ text: undefined, normalized_text: 'n' })}`,
    );
    expect((await readManifests(file)).map((e) => e.text)).toEqual(['hello there', 'n']);
    const bare = manifest(line({ text: undefined }));
    await expect(readManifests(bare)).rejects.toMatchObject({ path: 'text' });
    expect((await readManifests(bare, { requireText: false }))[0].text).toBe('');
  });

  it('takes no transcript from a device, a pipe, or a file that lies elsewhere', async () => {
    const outside = join(mkdtempSync(join(tmpdir(), 'outside-')), 'secret.txt');
    writeFileSync(outside, 'secret');
    symlinkSync(outside, join(folder, 'link.txt'));
    symlinkSync('/dev/zero', join(folder, 'zero.txt'));
    execFileSync('mkfifo', [join(folder, 'pipe.txt')]);
    writeFileSync(join(folder, 'latin.txt'), Uint8Array.of(0x61, 0xe4));
    writeFileSync(join(folder, 'huge.txt'), '');
    truncateSync(join(folder, 'huge.txt'), 2 ** 40);
    const wrong = [
      '/dev/zero',
      outside,
      '/etc/passwd',
      '../x',
      'link.txt',
      'zero.txt',
      'pipe.txt',
      'none.txt',
    ];
    for (const text_filepath of [...wrong, 'latin.txt', 'huge.txt', '.', 'a\0b']) {
      const file = manifest(line({ text: undefined, text_filepath }));
      await expect(readManifests(file)).rejects.toMatchObject({ path: 'text_filepath' });
    }
    const beside = { audio_filepath: join(dirname(outside), 'a.wav'), text_filepath: outside };
    const [entry] = await readManifests(manifest(line({ text: undefined, ...beside })));
    expect(entry.text).toBe('secret');
  });

  it('reads no device, pipe or folder as a manifest', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.jsonl')]);
    for (const file of [join(folder, 'pipe.jsonl'), '/dev/zero', folder]) {
      await expect(readManifests(file)).rejects.toMatchObject({ code: 'data.manifest-unreadable' });
    }
  });

  it('tolerates a byte order mark, CRLF and blank lines, keeping line numbers', async () => {
    const file = manifest(`\uFEFF${line({})}\r\n\r\n   \n${line({ text: 'naïve 東京' })}\r\n`);
    const entries = await readManifests(file);
    expect(entries.map((e) => [e.text, e.source.line])).toEqual([
      ['x', 1],
      ['naïve 東京', 4],
    ]);
  });

  it('takes several manifests, as a list or separated by commas', async () => {
    const [one, two] = [manifest(line({ text: '1' })), manifest(line({ text: '2' }))];
    for (const spec of [`${one}, ${two}`, [one, two], [`${one},${two}`]]) {
      expect((await readManifests(spec)).map((e) => e.text)).toEqual(['1', '2']);
    }
    expect(manifestFiles(' ,')).toEqual([]);
  });
});

describe('mistakes', () => {
  it('are all reported at once with file and line', async () => {
    const file = manifest(
      [
        line({}),
        '{"audio_filepath": "a.wav", "duration": ',
        line({ duration: -1 }),
        line({ duration: '3.2', offset: -1 }),
        line({ duration: 0 }),
        JSON.stringify({ audio_path: 'a.wav', duration: 1, text: 'x' }),
        '[1]',
        line({ text: null }),
        line({ text: 5 }),
        line({ audio_filepath: ['l.wav', 'r.wav'] }),
        '"text"',
      ].join('\n'),
    );
    const error = await readManifests(file).then(
      () => undefined,
      (e: AnemoneErrors) => e,
    );
    const found = error?.errors.map((e) => `${e.position?.line} ${e.path ?? e.code}`);
    expect(found).toEqual([
      '2 data.manifest-json',
      '3 duration',
      '4 duration',
      '4 offset',
      '5 duration',
      '6 audio_filepath',
      '7 data.manifest-json',
      '8 text',
      '9 text',
      '10 audio_filepath',
      '11 data.manifest-json',
    ]);
    expect(error?.message).toContain(`${file}:4: duration: expected a number, got the string "3.2"`);
    expect(error?.errors[2].hint).toContain('quotes');
    expect(error?.errors[5].hint).toContain('audio_path');
    expect(error?.exitCode).toBe(2);
  });

  it('are bounded, and do not hide the good lines', async () => {
    const file = manifest([...Array<string>(200).fill('x'), line({})].join('\n'));
    const { errors, stopped } = await scanManifests(file, { maxErrors: 7 });
    expect([errors.length, stopped]).toEqual([7, true]);
    const all = await scanManifests(file, { maxErrors: 1000 });
    expect([all.errors.length, all.entries.length, all.stopped]).toEqual([200, 1, false]);
  });

  it('include missing and empty manifests, and bytes that are not UTF-8', async () => {
    const latin1 = manifest(Buffer.from(`${line({})}\n{"text": "caf\xe9"}\n`, 'latin1'));
    const expected: [string | string[], string][] = [
      [join(folder, 'none.jsonl'), 'data.manifest-missing'],
      [folder, 'data.manifest-unreadable'],
      [manifest(''), 'data.empty-manifest'],
      [manifest('\n\n'), 'data.empty-manifest'],
      [[], 'data.no-manifest'],
      [latin1, 'data.manifest-encoding'],
    ];
    for (const [spec, code] of expected) await expect(readManifests(spec)).rejects.toMatchObject({ code });
  });
});

describe('files that are no manifests', () => {
  const one = { audio_filepath: 'a.wav', duration: 1, text: 'x' };

  it.each([
    ['a list on one line', JSON.stringify([one, one]), 'is one JSON list — write one object a line'],
    ['a list over lines', JSON.stringify([one, one], null, 1), 'is one JSON list — write one object a line'],
    ['an object over lines', JSON.stringify(one, null, 2), 'is JSON that is spread over lines'],
    ['a line too long', `{"text":"${'a'.repeat(2 ** 24)}"}`, 'the line is longer than 16 MiB'],
    ['lines with commas', `${line({})},`, 'lines end without a comma'],
  ])('%s is told once', async (_name, content, message) => {
    const { errors } = await scanManifests(manifest(content));
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    [{ text: 'al\ud800pha' }, 'text: has half of a surrogate pair'],
    [{ audio_filepath: 'a\udc00.wav' }, 'audio_filepath: has half of a surrogate pair'],
    [{ audio_filepath: 'https://x.y/a.wav' }, 'audio_filepath: is an address (https://)'],
    [{ audio_filepath: 's3://bucket/a.wav' }, 'audio_filepath: is an address (s3://)'],
    [{ audio_filepath: 'file:///a.wav' }, 'audio_filepath: is an address (file://)'],
    [{ text: 'a'.repeat(2 ** 20 + 1) }, 'text: has 1048577 characters'],
  ])('%#: %j', async (fields, message) => {
    await expect(readManifests(manifest(line(fields)))).rejects.toThrow(message);
  });

  it('leaves pairs of surrogates and colons of names alone', async () => {
    const file = manifest(line({ audio_filepath: '/x/a:b.wav', text: '\ud83d\ude00' }));
    expect((await readManifests(file))[0]).toMatchObject({ audioPath: '/x/a:b.wav', text: '😀' });
  });
});

describe('filters', () => {
  it('count what they drop by the first reason', async () => {
    const lines = [0.05, 1, 2, 30, 3, 4].map((duration, i) => line({ duration, text: 'é'.repeat(i) }));
    const entries = await readManifests(manifest(lines.join('\n')));
    const report = filterEntries(entries, {
      min_duration: 0.1,
      max_duration: 20,
      min_text_length: 2,
      max_utts: 2,
    });
    expect(report.kept.map((e) => e.duration)).toEqual([2, 3]);
    expect(report.keptSeconds).toBe(5);
    expect(Object.fromEntries(report.dropped)).toEqual({
      min_duration: { count: 1, seconds: 0.05 },
      max_duration: { count: 1, seconds: 30 },
      min_text_length: { count: 1, seconds: 1 },
      max_utts: { count: 1, seconds: 4 },
    });
    expect(describeDropped(report)).toContain('1 utterances (30.0 s) dropped by max_duration');
    const none = filterEntries(entries, { min_duration: 100 });
    expect(() => requireSome(none, 'train_ds')).toThrow(/6 utterances .* min_duration/);
  });
});
