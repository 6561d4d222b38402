// The library speaks of the names of its interface; a command's user knows the command's options.
import { AnemoneError } from '../errors/index.js';

/** What the command calls the options that messages of the library name. */
export type OptionWords = Readonly<Record<string, string>>;

/** Runs `work`; an error of it speaks of the command's options. */
export async function inWordsOf<T>(words: OptionWords, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    const message = Object.entries(words).reduce(
      (text, [name, option]) => text.replace(new RegExp(`(?<![\\w-])${name}(?!\\w)`, 'g'), option),
      error.message,
    );
    if (message === error.message) throw error;
    const [first, ...lines] = message.split('\n');
    throw new AnemoneError({ code: error.code, message: first, lines, details: error.details, cause: error });
  }
}
