// Recognizers of streams and buffers have their prompt in their program, so each prompt gets one of its own.
import type { TranscriptionInput } from '../../data/index.js';

/** What a recording is to become, or its language, in slots by name. */
export type Prompt = Readonly<Record<string, string>>;

/**
 * The recognizer of a recording: made when its prompt is first asked for, kept for the next one.
 * @param givenPrompt the prompt of recordings that have none of their own
 */
export function perPrompt<R>(
  givenPrompt: Prompt | undefined,
  make: (prompt: Prompt | undefined) => R,
): (input: TranscriptionInput) => R {
  const recognizers = new Map<string, R>();
  return (input) => {
    const ownPrompt =
      typeof input === 'object' && input !== null && 'prompt' in input ? input.prompt : undefined;
    const prompt = ownPrompt ?? givenPrompt;
    const key = JSON.stringify(prompt ?? {});
    const recognizer = recognizers.get(key) ?? make(prompt);
    recognizers.set(key, recognizer);
    return recognizer;
  };
}
