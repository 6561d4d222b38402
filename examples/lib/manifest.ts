// Manifest lines in NeMo's form: one JSON object a line, audio paths relative to the manifest.
import { writeFile } from 'node:fs/promises';

export interface ManifestLine {
  readonly audio_filepath: string;
  /** Seconds. */
  readonly duration: number;
  readonly text: string;
  readonly speaker: string;
  readonly lang: string;
}

export async function writeManifest(path: string, lines: readonly ManifestLine[]): Promise<void> {
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** Hours of audio in the lines. */
export function hours(lines: readonly ManifestLine[]): number {
  return lines.reduce((sum, line) => sum + line.duration, 0) / 3600;
}
