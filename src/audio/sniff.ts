// Which audio container a file is, told by its first bytes.
import { AnemoneError } from '../errors/index.js';
import { type ByteSource, id3Length, looksLikeMp3 } from '../formats/index.js';

export type AudioFormat = 'wav' | 'flac' | 'mp3';

/** Containers that are recognised only to say that they are not read. */
const OTHERS: readonly (readonly [offset: number, magic: string, name: string])[] = [
  [0, 'OggS', 'Ogg (Vorbis or Opus)'],
  [4, 'ftyp', 'MP4/M4A'],
  [0, 'FORM', 'AIFF'],
  [0, '.snd', 'Sun AU'],
  [0, 'NIST_1A', 'NIST SPHERE'],
  [0, '\x1aE\xdf\xa3', 'Matroska/WebM'],
  [0, '#!AMR', 'AMR'],
  [0, 'version https://git-lfs', 'a Git LFS pointer, not the file itself'],
  [0, '<', 'HTML or XML, perhaps a failed download'],
];

/**
 * @throws AnemoneError `audio.empty` for a file of no bytes, `audio.truncated` for a bare RIFF header,
 *   `audio.unknown-format` for the rest
 */
export async function sniffAudio(source: ByteSource): Promise<AudioFormat> {
  let head = await source.read(0, 4096);
  if (head.length === 0) {
    throw new AnemoneError({
      code: 'audio.empty',
      message: 'the file has no bytes',
      position: { file: source.name },
    });
  }
  const tag = id3Length(head);
  if (tag > 0) head = await source.read(tag, 4096);
  const text = String.fromCharCode(...head.subarray(0, 32));
  const riff = text.startsWith('RIFF') || text.startsWith('RF64') || text.startsWith('BW64');
  if (riff && text.slice(8, 12) === 'WAVE') return 'wav';
  if (riff && head.length < 12) {
    throw new AnemoneError({
      code: 'audio.truncated',
      message: 'the file ends inside its RIFF header',
      position: { file: source.name },
    });
  }
  if (text.startsWith('fLaC')) return 'flac';
  // Only an ID3 tag, or zeros some encoders write before the first frame, may stand before MPEG audio.
  const start = head.findIndex((byte) => byte !== 0);
  if (start >= 0 && (looksLikeMp3(head.subarray(start)) || (tag > 0 && hasFrame(head)))) return 'mp3';
  const other = OTHERS.find(([at, magic]) => text.slice(at, at + magic.length) === magic)?.[2];
  throw new AnemoneError({
    code: 'audio.unknown-format',
    message: other ? `the content is ${other}` : `not WAV, FLAC or MP3 (starts with ${hex(head)})`,
    position: { file: source.name },
    hint: 'convert it, for example with ffmpeg -i in -ar 16000 -ac 1 out.flac',
  });
}

function hasFrame(head: Uint8Array): boolean {
  for (let i = 0; i < head.length - 4; i++) if (looksLikeMp3(head.subarray(i))) return true;
  return false;
}

function hex(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
}
