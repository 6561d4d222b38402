// Command: makes the quickstart's data.
//   npx tsx examples/digits/prepare.ts [--out quickstart-data] [--seed 1] [--workers 2] [--scale 1]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { AnemoneError } from '../../src/errors/index.js';
import { runCommand } from '../lib/command.js';
import { dataFingerprint } from './fingerprint.js';
import { generateDigits, type PrepareProgress } from './generate.js';
import { DEFAULT_OPTIONS, type PrepareOptions } from './options.js';

const PROGRESS_INTERVAL_MS = 250;
const PLAIN_INTERVAL_MS = 10_000;

async function main(): Promise<void> {
  const options = readOptions();
  const started = Date.now();
  const result = await generateDigits(options, progressLine(started));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    result.reused ? `${options.out}: already prepared` : `${options.out}: prepared in ${seconds} s`,
  );
  for (const [name, set] of Object.entries(result.sets)) {
    console.log(
      `  ${name.padEnd(5)} ${String(set.utterances).padStart(5)} utterances  ${set.hours.toFixed(2)} h`,
    );
  }
  console.log(`  SHA-256 of the data ${await dataFingerprint(options.out)}`);
}

function readOptions(): PrepareOptions {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: DEFAULT_OPTIONS.out },
      seed: { type: 'string', default: String(DEFAULT_OPTIONS.seed) },
      workers: { type: 'string', default: String(Math.min(8, availableParallelism())) },
      scale: { type: 'string', default: '1' },
    },
  });
  const scale = numberOf('scale', values.scale, 0.01);
  const scaled = ({ flite, espeak, gnuspeech }: PrepareOptions['trainVoices']) => ({
    flite: Math.ceil(flite * scale),
    espeak: Math.ceil(espeak * scale),
    gnuspeech: Math.ceil(gnuspeech * scale),
  });
  return {
    ...DEFAULT_OPTIONS,
    out: values.out,
    seed: Math.floor(numberOf('seed', values.seed, 0)),
    workers: Math.floor(numberOf('workers', values.workers, 0)),
    trainVoices: scaled(DEFAULT_OPTIONS.trainVoices),
    devVoices: scaled(DEFAULT_OPTIONS.devVoices),
    testStrings: Math.ceil(DEFAULT_OPTIONS.testStrings * Math.min(1, scale)),
  };
}

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!(value >= least)) {
    throw new AnemoneError({
      code: 'digits.argument',
      message: `--${name} ${text} is not a number of at least ${least}`,
    });
  }
  return value;
}

/** One line that rewrites itself on a terminal; a line every ten seconds elsewhere. */
function progressLine(started: number): (progress: PrepareProgress) => void {
  const interval = process.stderr.isTTY ? PROGRESS_INTERVAL_MS : PLAIN_INTERVAL_MS;
  let shown = started;
  return ({ utterances, totalUtterances, audioSeconds }) => {
    const now = Date.now();
    if (now - shown < interval) return;
    shown = now;
    const left = ((now - started) / 1000) * (totalUtterances / utterances - 1);
    const line =
      `synthesising ${utterances}/${totalUtterances} utterances  ` +
      `${(audioSeconds / 3600).toFixed(2)} h of speech  ${left.toFixed(0)} s left`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
}

runCommand(main);
