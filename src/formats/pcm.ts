// Between bytes of linear or companded samples and floats in [-1, 1). An integer of b bits is divided by
// 2^(b-1), so that every 16-bit value has one exact float. Resampling and mixing live in audio.

/** Encodings of one sample as they occur in WAV files. */
export type PcmEncoding = 'int' | 'float' | 'alaw' | 'mulaw';

/** ITU-T G.711 expansion of one mu-law byte to a 16-bit value. */
function expandMulaw(byte: number): number {
  const b = ~byte & 255;
  const magnitude = ((((b & 15) << 3) + 132) << ((b >> 4) & 7)) - 132;
  return b & 128 ? -magnitude : magnitude;
}

/** ITU-T G.711 expansion of one A-law byte to a 16-bit value. */
function expandAlaw(byte: number): number {
  const b = byte ^ 0x55;
  const exponent = (b >> 4) & 7;
  const base = ((b & 15) << 4) + 8;
  const magnitude = exponent === 0 ? base : (base + 256) << (exponent - 1);
  return b & 128 ? magnitude : -magnitude;
}

/**
 * Interleaved little-endian samples to one array a channel.
 * @param container bytes one sample takes (1, 2, 3, 4 or 8)
 */
export function decodePcm(
  bytes: Uint8Array,
  channels: number,
  encoding: PcmEncoding,
  container: number,
): Float32Array[] {
  const frames = Math.floor(bytes.length / (channels * container));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stride = channels * container;
  const aligned = container === 2 && encoding === 'int' && bytes.byteOffset % 2 === 0;
  const words = aligned ? new Int16Array(bytes.buffer, bytes.byteOffset, frames * channels) : undefined;
  return Array.from({ length: channels }, (_, c) => {
    const out = new Float32Array(frames);
    const at = c * container;
    if (words) {
      for (let i = 0, j = c; i < frames; i++, j += channels) out[i] = words[j] / 32768;
    } else if (encoding === 'mulaw' || encoding === 'alaw') {
      const expand = encoding === 'mulaw' ? expandMulaw : expandAlaw;
      for (let i = 0; i < frames; i++) out[i] = expand(bytes[i * stride + at]) / 32768;
    } else if (encoding === 'float') {
      for (let i = 0, p = at; i < frames; i++, p += stride) {
        out[i] = container === 8 ? view.getFloat64(p, true) : view.getFloat32(p, true);
      }
    } else if (container === 1) {
      for (let i = 0; i < frames; i++) out[i] = (bytes[i * stride + at] - 128) / 128;
    } else if (container === 2) {
      for (let i = 0, p = at; i < frames; i++, p += stride) out[i] = view.getInt16(p, true) / 32768;
    } else if (container === 3) {
      for (let i = 0, p = at; i < frames; i++, p += stride) {
        out[i] = ((bytes[p] << 8) | (bytes[p + 1] << 16) | (bytes[p + 2] << 24)) / 2147483648;
      }
    } else {
      for (let i = 0, p = at; i < frames; i++, p += stride) out[i] = view.getInt32(p, true) / 2147483648;
    }
    return out;
  });
}

/**
 * One array a channel to interleaved little-endian samples; integers are rounded and clipped.
 * @param bits 8, 16, 24 or 32 for `int`; 32 or 64 for `float`
 */
export function encodePcm(
  channels: readonly Float32Array[],
  encoding: 'int' | 'float',
  bits: number,
): Uint8Array {
  const frames = channels[0]?.length ?? 0;
  const container = bits / 8;
  const bytes = new Uint8Array(frames * channels.length * container);
  const view = new DataView(bytes.buffer);
  const scale = 2 ** (bits - 1);
  const stride = container * channels.length;
  for (const [c, channel] of channels.entries()) {
    for (let i = 0, p = c * container; i < frames; i++, p += stride) {
      const x = channel[i];
      if (encoding === 'float') {
        if (bits === 64) view.setFloat64(p, x, true);
        else view.setFloat32(p, x, true);
      } else {
        const v = Math.max(-scale, Math.min(scale - 1, Math.round(x * scale)));
        if (bits === 8) bytes[p] = v + 128;
        else if (bits === 16) view.setInt16(p, v, true);
        else if (bits === 24) {
          view.setUint16(p, v & 0xffff, true);
          bytes[p + 2] = (v >> 16) & 255;
        } else view.setInt32(p, v, true);
      }
    }
  }
  return bytes;
}
