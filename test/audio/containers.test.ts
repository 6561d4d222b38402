// A recording is read from where its container begins, whatever programs put before and behind it, and its facts are those
// that decoding finds. Right values: the recording without the additions; libsndfile 1.2.2 and ffmpeg 5.1 agree on them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { audioBlocks } from '../../src/audio/audio-blocks.js';
import { audioInfo, decodeAudio } from '../../src/audio/index.js';
import { CounterRandom } from '../../src/random/index.js';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/audio', name)));
const directory = mkdtempSync(join(tmpdir(), 'anemone-containers-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const join8 = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

/** An ID3v2.3 tag whose size says `size`. */
function id3(size: number): Uint8Array {
  const tag = new Uint8Array(10 + size).fill(0x41, 10);
  tag.set([...ascii('ID3'), 3, 0, 0, (size >> 21) & 127, (size >> 14) & 127, (size >> 7) & 127, size & 127]);
  return tag;
}

/** An APEv2 tag with header, one unreadable item and footer. */
function ape(): Uint8Array {
  const edge = (flags: number) => {
    const bytes = new Uint8Array(32);
    bytes.set(ascii('APETAGEX'));
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 2000, true);
    view.setUint32(12, 42, true);
    view.setUint32(20, flags, true);
    return bytes;
  };
  return join8(edge(0xa0000000), new Uint8Array(10).fill(0x78), edge(0x80000000));
}

const id3v1 = join8(ascii('TAG'), new Uint8Array(125));
const lyrics = ascii('LYRICSBEGINwords000016LYRICS200');
const nothing = new Uint8Array(0);

const AROUND: Readonly<Record<string, readonly [before: Uint8Array, behind: Uint8Array]>> = {
  'an ID3 tag': [id3(128), nothing],
  'two ID3 tags, one with a picture': [join8(id3(100), id3(70_000)), nothing],
  'an ID3 tag whose padding its size leaves out': [join8(id3(100), new Uint8Array(6000)), nothing],
  zeros: [new Uint8Array(100_000), nothing],
  'an APE tag': [ape(), nothing],
  'ID3v1 behind': [nothing, id3v1],
  'APE and ID3v1 behind': [nothing, join8(ape(), id3v1)],
  'Lyrics3 behind': [nothing, join8(lyrics, id3v1)],
  'ID3v2 behind': [nothing, id3(50)],
  'tags on both sides': [id3(33), join8(ape(), id3v1)],
};

async function blocksOf(bytes: Uint8Array): Promise<number[]> {
  const path = join(directory, 'recording');
  writeFileSync(path, bytes);
  const samples: number[] = [];
  for await (const block of audioBlocks(path)) samples.push(...block);
  return samples;
}

describe.each(['s16.wav', 's16.flac', 'xing16k.mp3'])('%s with', (name) => {
  it.each(Object.keys(AROUND))('%s is the same recording', async (kind) => {
    const [before, behind] = AROUND[kind];
    const plain = await decodeAudio(fixture(name));
    const bytes = join8(before, fixture(name), behind);
    const decoded = await decodeAudio(bytes);
    expect(decoded).toMatchObject({ format: plain.format, warnings: [] });
    expect(decoded.samples).toEqual(plain.samples);
    expect(await audioInfo(bytes)).toMatchObject({ frames: plain.samples.length, warnings: [] });
    expect(await blocksOf(bytes)).toEqual([...plain.samples]);
  });
});

describe('mp3', () => {
  const lame = fixture('xing16k.mp3');

  it.each([1, 240, 3000, 30_000])('is found behind %i bytes that are no frame', async (length) => {
    const random = new CounterRandom(7);
    const junk = Uint8Array.from({ length }, (_, i) => Math.floor(random.uniform(i) * 256));
    const plain = await decodeAudio(lame);
    expect((await decodeAudio(join8(junk, lame))).samples).toEqual(plain.samples);
  });

  it('is not found in bytes that are none', async () => {
    const random = new CounterRandom(8);
    const junk = Uint8Array.from({ length: 60_000 }, (_, i) => Math.floor(random.uniform(i) * 256));
    await expect(decodeAudio(junk)).rejects.toMatchObject({ code: 'audio.unknown-format' });
  });

  /** The first frame, changed: `at` counts from the word Xing. */
  const changed = (at: number, values: readonly number[]) => {
    const copy = lame.slice();
    copy.set(values, Buffer.from(lame).indexOf('Xing') + at);
    return copy;
  };
  it.each([
    ['as LAME wrote it', lame],
    ['MPEG-2.5', fixture('mpeg25-8k.mp3')],
    ['as ffmpeg wrote it', fixture('stereo44k.mp3')],
    ['two after each other', join8(lame, lame)],
    ['two after each other, each with a tag', join8(lame, id3v1, id3(20), lame)],
    ['cut off', lame.subarray(0, 1200)],
    ['Xing without LAME', changed(120, new Array(24).fill(0))],
    ['Xing without a number of frames', changed(8, [0, 0, 0, 0])],
    ['Xing with too few frames', changed(8, [0, 0, 0, 4])],
    ['Xing with too many', changed(8, [0, 0, 1, 0])],
    ['audio in place of Xing', changed(0, [0, 0, 0, 0])],
  ])('audioInfo counts what decoding gives: %s', async (_, bytes) => {
    expect((await audioInfo(bytes)).frames).toBe((await decodeAudio(bytes)).samples.length);
  });

  it('has as many samples as went into LAME', async () => {
    expect((await audioInfo(lame)).frames).toBe(4801);
    expect((await audioInfo(fixture('mpeg25-8k.mp3'))).frames).toBe(2401);
  });
});

describe('flac of unknown length', () => {
  const flac = fixture('s16.flac');
  /** Total samples are the last 36 bits before the checksum of the stream info. */
  const unknown = flac.slice();
  unknown.set([unknown[21] & 0xf0, 0, 0, 0, 0], 21);

  it('ends where only zeros follow', async () => {
    const tailed = join8(unknown, new Uint8Array(64));
    const plain = await decodeAudio(flac);
    expect((await decodeAudio(tailed)).samples).toEqual(plain.samples);
    expect(await blocksOf(tailed)).toEqual([...plain.samples]);
  });

  it('does not end in the middle of a frame, however it is read', async () => {
    const cut = unknown.subarray(0, unknown.length - 20);
    await expect(decodeAudio(cut)).rejects.toMatchObject({ code: 'audio.truncated' });
    await expect(blocksOf(cut)).rejects.toMatchObject({ code: 'audio.truncated' });
  });
});

describe('what is not read is named', () => {
  const ogg = (packet: string) => join8(ascii('OggS'), new Uint8Array(22), Uint8Array.of(1, packet.length), ascii(packet)); // biome-ignore format: one line reads better
  it.each([
    [ogg('\x7fFLAC\x01\0'), 'FLAC in Ogg'],
    [ogg('\x01vorbis'), 'Ogg Vorbis'],
    [ogg('OpusHead'), 'Ogg Opus'],
    [ogg('Speex   '), 'Ogg Speex'],
    [ogg('something'), 'Ogg with an unknown codec'],
    [join8(ascii('FORM'), new Uint8Array(20)), 'AIFF'],
    [join8(id3(40), ascii('FORM'), new Uint8Array(20)), 'AIFF'],
    [join8(ascii('RIFX'), new Uint8Array(20)), 'big-endian WAVE'],
    [join8(Uint8Array.of(0, 0, 0, 24), ascii('ftypM4A '), new Uint8Array(20)), 'MP4'],
    [join8(Uint8Array.of(255, 0xfb, 0, 0x64), new Uint8Array(800), Uint8Array.of(255, 0xfb, 2, 0x64, 9)), 'free format'], // biome-ignore format: one line reads better
  ])('%#: %s', async (bytes, name) => {
    await expect(decodeAudio(bytes)).rejects.toThrow(`the content is ${name.startsWith('free') ? 'MPEG audio in free format' : name}`); // biome-ignore format: one line reads better
  });
});
