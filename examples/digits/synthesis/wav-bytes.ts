// The plain 16-bit mono WAV that synthesizers return, to and from memory. Not a general reader:
// src/formats has that one.
import type { Clip } from './clip.js';

/** Samples of a mono PCM16 WAV file in memory; an empty clip when there is no data chunk. */
export function pcmFromWav(bytes: Uint8Array): Clip {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sampleRate = 16000;
  let at = 12;
  while (at + 8 <= view.byteLength) {
    const id = String.fromCharCode(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    const size = view.getUint32(at + 4, true);
    if (id === 'fmt ') sampleRate = view.getUint32(at + 12, true);
    if (id === 'data') {
      const count = Math.floor(Math.min(size, view.byteLength - at - 8) / 2);
      const samples = new Float32Array(count);
      for (let i = 0; i < count; i++) samples[i] = view.getInt16(at + 8 + 2 * i, true) / 32768;
      return { samples, sampleRate };
    }
    at += 8 + size + (size % 2);
  }
  return { samples: new Float32Array(0), sampleRate };
}

/** A mono PCM16 WAV file; samples beyond [-1, 1) are clipped. */
export function wavFromPcm(clip: Clip): Uint8Array {
  const dataSize = clip.samples.length * 2;
  const bytes = Buffer.alloc(44 + dataSize);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + dataSize, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // mono
  bytes.writeUInt32LE(clip.sampleRate, 24);
  bytes.writeUInt32LE(clip.sampleRate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(dataSize, 40);
  for (let i = 0; i < clip.samples.length; i++) {
    const value = Math.round(clip.samples[i] * 32768);
    bytes.writeInt16LE(Math.max(-32768, Math.min(32767, value)), 44 + 2 * i);
  }
  return bytes;
}
