// Names that become part of a path. One that holds a separator leads to a place where nothing is found again.
import { customFormat, type Format } from './format.js';

/** What a name may take of the 255 bytes that file systems allow, where something is put before and after it. */
const MOST_BYTES = 128;

/**
 * A name of a file or folder, without folders.
 * @param options.isEnd it stands behind something, and may start with a dot
 */
export function plainName(options: { readonly isEnd?: boolean } = {}): Format<string> {
  const check = (value: unknown): string => {
    if (typeof value !== 'string' || value === '') throw new Error('');
    if (/[/\\]/.test(value)) throw new Error('/ and \\ lead into another folder');
    if (/\p{Cc}/u.test(value)) throw new Error('it has control characters');
    if (!options.isEnd && value.startsWith('.'))
      throw new Error('a file whose name starts with a dot is hidden');
    if (Buffer.byteLength(value) > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
    return value;
  };
  return customFormat('a plain name', check, { type: 'string' });
}
