// Files the text tests share.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export function fixtureBytes(name: string): Uint8Array {
  return readFileSync(new URL(`../fixtures/text/${name}`, import.meta.url));
}

export function fixturePath(name: string): string {
  return new URL(`../fixtures/text/${name}`, import.meta.url).pathname;
}

export function fixtureLines(language: 'en' | 'es' | 'ja'): string[] {
  return new TextDecoder()
    .decode(fixtureBytes(`${language}.txt`))
    .split('\n')
    .slice(0, -1);
}

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/text/${name}`, import.meta.url), 'utf8')) as T;
}

/** SentencePiece's command line tools, when Debian's package is installed. */
export const hasSentencePiece = spawnSync('spm_encode', ['--version']).status === 0;

/** Runs one of them on lines. */
export function spm(tool: string, args: readonly string[], lines: readonly string[]): string[] {
  const { stdout, status, stderr } = spawnSync(tool, args, {
    input: `${lines.join('\n')}\n`,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${tool}: ${stderr.toString()}`);
  return stdout.toString().split('\n').slice(0, -1);
}
