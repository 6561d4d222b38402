// Recognizers of streams and buffers have their prompt in their program, so each prompt gets one of its own.
import type { TranscriptionInput } from '../../data/index.js';

/** What a recording is to become, or its language, in slots by name. */
export type Prompt = Readonly<Record<string, string>>;

/**
 * The recognizer of a recording: made when its prompt is first asked for, kept for the next one.
 * @param given the prompt of recordings that have none of their own
 */
export function perPrompt<R>(
  given: Prompt | undefined,
  make: (prompt: Prompt | undefined) => R,
): (input: TranscriptionInput) => R {
  const made = new Map<string, R>();
  return (input) => {
    const own = typeof input === 'object' && input !== null && 'prompt' in input ? input.prompt : undefined;
    const prompt = own ?? given;
    const key = JSON.stringify(prompt ?? {});
    const recognizer = made.get(key) ?? make(prompt);
    made.set(key, recognizer);
    return recognizer;
  };
}
