// Which audio container a file is, told by its first bytes, and where in the file that container begins.
import { AnemoneError } from '../errors/index.js';
import { apeLength, type ByteSource, id3Length, isFreeFormat, mp3Start, windowOf } from '../formats/index.js';

/** The containers that can be decoded. */
export type AudioFormat = 'wav' | 'flac' | 'mp3';

/** A recognised container. */
export interface AudioContainer {
  readonly format: AudioFormat;
  /** The bytes from the container's first one on: what some programs put before it (tags, zeros) is left out. */
  readonly source: ByteSource;
}

/** Containers that are recognised only to say that they are not read. */
const OTHERS: readonly (readonly [offset: number, magic: string, name: string])[] = [
  [0, 'OggS', 'Ogg'],
  [4, 'ftyp', 'MP4/M4A'],
  [0, 'FORM', 'AIFF'],
  [0, 'RIFX', 'big-endian WAVE (RIFX)'],
  [0, 'riff\x2e\x91\xcf\x11', 'Sony Wave64'],
  [0, '.snd', 'Sun AU'],
  [0, 'caff', 'Core Audio (CAF)'],
  [0, 'NIST_1A', 'NIST SPHERE'],
  [0, '\x1aE\xdf\xa3', 'Matroska/WebM'],
  [0, '0&\xb2u', 'Windows Media'],
  [0, 'wvpk', 'WavPack'],
  [0, 'MAC ', "Monkey's Audio"],
  [0, '#!AMR', 'AMR'],
  [0, '\xff\xf1', 'AAC (ADTS)'],
  [0, '\xff\xf9', 'AAC (ADTS)'],
  [0, '\x1f\x8b', 'gzip, to be unpacked first'],
  [0, 'PK\x03\x04', 'a ZIP archive, to be unpacked first'],
  [0, 'version https://git-lfs', 'a Git LFS pointer, not the file itself'],
  [0, '<', 'HTML or XML, perhaps a failed download'],
];

/** What an Ogg file holds, by the first bytes of its first packet. */
const OGG_CODECS: readonly (readonly [magic: string, name: string])[] = [
  ['\x7fFLAC', 'FLAC in Ogg'],
  ['\x01vorbis', 'Ogg Vorbis'],
  ['OpusHead', 'Ogg Opus'],
  ['Speex   ', 'Ogg Speex'],
  ['\x80theora', 'Ogg Theora, a film'],
];

/** Bytes that are looked through for the first MPEG frame. */
const HEAD = 1 << 16;
/** Bytes of zeros that may stand before a container, as where a tag is shorter than the room kept for it. */
const MAX_ZEROS = 1 << 20;

/**
 * @throws AnemoneError `audio.empty` for a file of no bytes, `audio.truncated` for a bare RIFF header,
 *   `audio.unknown-format` for the rest
 */
export async function sniffAudio(source: ByteSource): Promise<AudioContainer> {
  if (source.size === 0) {
    throw new AnemoneError({
      code: 'audio.empty',
      message: 'the file has no bytes',
      position: { file: source.name },
    });
  }
  const tagged = await skipTags(source);
  const start = await skipZeros(source, tagged);
  const head = await source.read(start, HEAD);
  const from = (offset: number) =>
    offset === 0 ? source : windowOf(source, offset, source.size - offset, source.name);
  const text = textOf(head);
  const riff = text.startsWith('RIFF') || text.startsWith('RF64') || text.startsWith('BW64');
  if (riff && text.slice(8, 12) === 'WAVE') return { format: 'wav', source: from(start) };
  if (riff && head.length < 12) {
    throw new AnemoneError({
      code: 'audio.truncated',
      message: 'the file ends inside its RIFF header',
      position: { file: source.name },
    });
  }
  if (text.startsWith('fLaC')) return { format: 'flac', source: from(start) };
  const otherName = nameOf(head) ?? nameOf(await source.read(tagged, 64));
  const frame = otherName === undefined ? mp3Start(head) : -1;
  if (frame >= 0) return { format: 'mp3', source: from(start + frame) };
  throw new AnemoneError({
    code: 'audio.unknown-format',
    message: otherName ? `the content is ${otherName}` : `not WAV, FLAC or MP3 (starts with ${hex(head)})`,
    position: { file: source.name },
    hint: 'convert it, for example with ffmpeg -i in -ar 16000 -ac 1 out.flac',
  });
}

/** Where the tags at the beginning end. A tag that says it is longer than the file is none. */
async function skipTags(source: ByteSource): Promise<number> {
  let at = 0;
  for (;;) {
    const head = await source.read(at, 32);
    const length = id3Length(head) || apeLength(head);
    if (length === 0 || at + length >= source.size) return at;
    at += length;
  }
}

async function skipZeros(source: ByteSource, start: number): Promise<number> {
  for (let at = start; at < source.size && at - start <= MAX_ZEROS; at += HEAD) {
    const nonZeroIndex = (await source.read(at, HEAD)).findIndex((byte) => byte !== 0);
    if (nonZeroIndex >= 0) return at + nonZeroIndex;
  }
  return start;
}

/** What the container is, if it is one of those that are not read. */
function nameOf(head: Uint8Array): string | undefined {
  const text = textOf(head);
  const name = OTHERS.find(([at, magic]) => text.slice(at, at + magic.length) === magic)?.[2];
  if (name === undefined && isFreeFormat(head)) return 'MPEG audio in free format';
  return name === 'Ogg' ? oggContent(head) : name;
}

/** The first page has one packet, behind its table of lengths. */
function oggContent(page: Uint8Array): string {
  const packet = textOf(page.subarray(27 + (page[26] ?? 0)));
  return OGG_CODECS.find(([magic]) => packet.startsWith(magic))?.[1] ?? 'Ogg with an unknown codec';
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 32));
}

function hex(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
}
