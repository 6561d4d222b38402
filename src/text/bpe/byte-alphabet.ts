// GPT-2's table (Radford et al. 2019): bytes that print stand for themselves, the others for characters from U+0100 on.
// Vocabularies of byte-level BPE are written in it: `Ġ` is a space.

const isPrintable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);

/** The character of each byte. */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** Byte of each character, by its code; -1 for characters that stand for none. All of them lie below U+0144. */
const BYTE_OF = (() => {
  const bytes = new Int16Array(0x144).fill(-1);
  for (const [byte, character] of BYTE_CHARACTERS.entries()) bytes[character.charCodeAt(0)] = byte;
  return bytes;
})();

const encoder = new TextEncoder();

/** A text with the bytes of its UTF-8 written as characters. */
export function bytesAsCharacters(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += BYTE_CHARACTERS[byte];
  return out;
}

/** The bytes that a token of such a vocabulary stands for; a token with other characters stands for its own UTF-8. */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}
