// Writes PNG pictures: 8 bits a channel, grey, RGB or RGBA, no interlacing. Reading them is not needed here.
import { deflateSync } from 'node:zlib';
import { AnemoneError } from '../errors/index.js';

/** A picture of 8 bits a channel. */
export interface PngImage {
  readonly width: number;
  readonly height: number;
  /** Row by row from the top, 1, 3 or 4 bytes a pixel. */
  readonly pixels: Uint8Array;
}

const COLOR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(body, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < 8 + body.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ bytes[i]) & 255];
  view.setUint32(8 + body.length, ~crc >>> 0);
  return bytes;
}

/**
 * Writes a PNG file.
 * @throws AnemoneError `png.write` when the pixels do not fill the picture
 */
export function encodePng(image: PngImage): Uint8Array {
  const { width, height, pixels } = image;
  const channels = pixels.length / (width * height);
  const colorType = COLOR_TYPES[channels];
  if (colorType === undefined) {
    throw new AnemoneError({
      code: 'png.write',
      message: `${pixels.length} bytes do not make a picture of ${width} x ${height}`,
    });
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = colorType;
  const stride = width * channels;
  // Each row is preceded by its filter type, 0.
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  }
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const parts = [
    signature,
    chunk('IHDR', header),
    chunk('IDAT', new Uint8Array(deflateSync(rows))),
    chunk('IEND', new Uint8Array(0)),
  ];
  return new Uint8Array(Buffer.concat(parts));
}
