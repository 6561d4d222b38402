import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  crc32c,
  EventWriter,
  encodePng,
  ProtoReader,
  readScalarEvents,
  tfRecord,
} from '../../src/formats/index.js';

const directory = mkdtempSync(join(tmpdir(), 'anemone-tb-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('crc32c', () => {
  it('agrees with the test vectors of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});

describe('event files', () => {
  it('begin with the version TensorBoard looks for', () => {
    const writer = new EventWriter(directory, { clock: () => 1.5, suffix: '.version' });
    writer.close();
    // The record TensorFlow itself writes for Event{wall_time: 1.5, file_version: "brain.Event:2"}.
    const payload = Uint8Array.from([
      9,
      0,
      0,
      0,
      0,
      0,
      0,
      0xf8,
      0x3f,
      0x1a,
      13,
      ...Buffer.from('brain.Event:2'),
    ]);
    expect(new Uint8Array(readFileSync(writer.path))).toEqual(tfRecord(payload));
  });

  it('give back scalars, whatever else is between, and survive a cut-off end', () => {
    const writer = new EventWriter(directory, { clock: () => 10, suffix: '.scalars' });
    writer.scalar('loss', 2.5, 1);
    writer.text('config', 'a: 1', 1);
    writer.histogram('grad', [1, 2, 3, 4], 1);
    writer.image('lattice', { width: 2, height: 1, pixels: Uint8Array.of(0, 255) }, 1);
    writer.scalar('wer', 0.5, 2);
    writer.flush();
    writer.close();
    const bytes = new Uint8Array(readFileSync(writer.path));
    const expected = [
      { tag: 'loss', value: 2.5, step: 1, wallTime: 10 },
      { tag: 'wer', value: 0.5, step: 2, wallTime: 10 },
    ];
    expect(readScalarEvents(bytes)).toEqual(expected);
    expect(readScalarEvents(bytes.subarray(0, bytes.length - 3))).toEqual(expected.slice(0, 1));
    bytes[40] ^= 1;
    expect(() => readScalarEvents(bytes)).toThrow(/checksum/);
    expect(() => writer.scalar('late', 1, 3)).toThrow(/closed/);
  });

  it('name the directory that cannot be written', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => new EventWriter(join(directory, 'file', 'logs'))).toThrow(
      expect.objectContaining({ code: 'tensorboard.write' }),
    );
  });
});

describe('png', () => {
  it('writes a picture with the right header and size', () => {
    const png = encodePng({ width: 3, height: 2, pixels: new Uint8Array(18) });
    expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
    const view = new DataView(png.buffer, png.byteOffset);
    expect([view.getUint32(16), view.getUint32(20), png[24], png[25]]).toEqual([3, 2, 8, 2]);
    expect(() => encodePng({ width: 3, height: 2, pixels: new Uint8Array(7) })).toThrow(/3 x 2/);
  });

  it('is where the event says', () => {
    const record = tfRecord(Uint8Array.of(8, 1));
    const reader = new ProtoReader(record.subarray(12, 14));
    expect(reader.next() && reader.int64()).toBe(1);
  });
});
