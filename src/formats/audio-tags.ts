// Tags that stand before, between and behind the frames of a recording: ID3v2, ID3v1, APEv2, Lyrics3. Only their lengths
// matter here; what they say is not read.

const text = (bytes: Uint8Array, at: number, length: number) =>
  String.fromCharCode(...bytes.subarray(at, at + length));

/** Bytes an ID3v2 tag at `at` takes; 0 without one. */
export function id3Length(bytes: Uint8Array, at = 0): number {
  if (bytes.length < at + 10 || text(bytes, at, 3) !== 'ID3') return 0;
  const [a, b, c, d] = bytes.subarray(at + 6, at + 10);
  const size = ((a & 127) << 21) | ((b & 127) << 14) | ((c & 127) << 7) | (d & 127);
  return 10 + size + (bytes[at + 5] & 0x10 ? 10 : 0);
}

/** Bytes an APEv2 tag that begins at `at` takes; 0 without one. Its size leaves out the 32 bytes of its header. */
export function apeLength(bytes: Uint8Array, at = 0): number {
  if (bytes.length < at + 32 || text(bytes, at, 8) !== 'APETAGEX') return 0;
  const size = new DataView(bytes.buffer, bytes.byteOffset + at, 32).getUint32(12, true);
  const isHeader = (bytes[at + 23] & 0x20) !== 0;
  return isHeader ? 32 + size : 32;
}

/** Lyrics3 tags are at most this long, by their own rule for version 1; version 2 writes six digits. */
const LYRICS = 1_000_000;

function lyricsLength(bytes: Uint8Array, at: number): number {
  if (text(bytes, at, 11) !== 'LYRICSBEGIN') return 0;
  for (let i = at + 11; i + 9 <= Math.min(bytes.length, at + LYRICS); i++) {
    if (bytes[i] !== 0x4c) continue;
    const word = text(bytes, i, 9);
    if (word === 'LYRICSEND' || word === 'LYRICS200') return i + 9 - at;
  }
  return bytes.length - at;
}

/** ID3v1 is 128 bytes; "TAG+" before it is 227. */
function id3v1Length(bytes: Uint8Array, at: number): number {
  if (text(bytes, at, 3) !== 'TAG') return 0;
  return bytes[at + 3] === 0x2b && bytes.length - at >= 227 ? 227 : 128;
}

/** Bytes a tag of any kind at `at` takes; 0 where there is none. */
export function tagLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === 0x49) return id3Length(bytes, at);
  if (first === 0x54) return id3v1Length(bytes, at);
  if (first === 0x41) return apeLength(bytes, at);
  return first === 0x4c ? lyricsLength(bytes, at) : 0;
}

/** Whether only tags and zeros follow from `at` to the end. */
export function onlyTagsFollow(bytes: Uint8Array, at: number): boolean {
  let i = at;
  while (i < bytes.length) {
    const length = bytes[i] === 0 ? 1 : tagLength(bytes, i);
    if (length === 0) return false;
    i += length;
  }
  return true;
}
