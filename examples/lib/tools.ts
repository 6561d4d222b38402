// Programs and packages that a recipe needs and npm does not have. Each check says what to install.
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AnemoneError } from '../../src/errors/index.js';

const run = promisify(execFile);

/** Fails unless the path exists. */
export async function needPath(path: string, debianPackages: readonly string[]): Promise<void> {
  await access(path).catch(() => {
    throw new AnemoneError({
      code: 'recipe.missing-data',
      message: `${path} is not there`,
      hint: `on Debian or Ubuntu: sudo apt-get install --no-install-recommends ${debianPackages.join(' ')}`,
    });
  });
}

/** Fails unless ffmpeg can be started. */
export async function needFfmpeg(): Promise<void> {
  await run('ffmpeg', ['-version']).catch(() => {
    throw new AnemoneError({
      code: 'recipe.missing-ffmpeg',
      message: 'ffmpeg cannot be started',
      hint: 'on Debian or Ubuntu: sudo apt-get install --no-install-recommends ffmpeg',
    });
  });
}

/** Decodes a headerless G.722 recording into a 16 kHz mono PCM16 WAV file. */
export async function convertG722(input: string, output: string): Promise<void> {
  const options = ['-hide_banner', '-loglevel', 'error', '-y'];
  const decoded = ['-f', 'g722', '-i', input, '-ac', '1', '-ar', '16000', '-c:a', 'pcm_s16le', '-bitexact'];
  await run('ffmpeg', [...options, ...decoded, output]).catch((cause: unknown) => {
    throw new AnemoneError({
      code: 'recipe.conversion',
      message: `ffmpeg cannot convert ${input}`,
      position: { file: input },
      cause,
    });
  });
}

/** Maps with at most `limit` calls under way; results keep the order of `items`. */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const drain = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await map(items[index]);
    }
  };
  await Promise.all(Array.from({ length: limit }, drain));
  return results;
}
