// Durations in a manifest are claims: what batches are planned with must not be longer than the recordings. Asking every
// recording of a large corpus would take long, so there only those are asked that claim to be long and would be dear.
import { audioInfo } from '../../audio/index.js';
import { AnemoneError, formatPosition } from '../../errors/index.js';
import { inspectAll } from './check/inspect-all.js';
import { type ManifestEntry, utteranceName } from './manifest/index.js';
import { recordingOf } from './pipeline/utterance-pipeline.js';

/** Seconds; a longer claim is looked into. */
const LONG = 60;
/** In a set of at most so many utterances, every claimed duration is checked. */
const FEW = 512;
/** Seconds by which a claim may be off. Rounding is no mistake. */
const SLACK = 0.5;

/**
 * The entries, none with more seconds than its recording has.
 * @param log gets one line where claims were wrong
 */
export async function withTrueDurations(
  entries: readonly ManifestEntry[],
  log: (line: string) => void,
): Promise<readonly ManifestEntry[]> {
  const doubtful = entries.filter(({ duration }) => entries.length <= FEW || duration > LONG);
  if (doubtful.length === 0) return entries;
  const trueSeconds = await secondsOf(doubtful);
  let [wrong, first] = [0, ''];
  const corrected = entries.map((entry) => {
    if (!trueSeconds.has(entry.audioPath)) return entry;
    const seconds = trueSeconds.get(entry.audioPath);
    // Where the recording does not tell its length, a claim above LONG is cut to it; the batch grows when it is made.
    const rest = seconds === undefined ? LONG : seconds - entry.offset;
    if (rest <= 0 || entry.duration - rest <= SLACK) return entry;
    if (seconds !== undefined && wrong++ === 0) {
      first = `${formatPosition(entry.source)}: ${utteranceName(entry)} says ${entry.duration} s and has ${rest.toFixed(2)} s`;
    }
    return { ...entry, duration: rest };
  });
  if (wrong > 0)
    log(`warning: ${wrong} utterances are shorter than the manifest says; the first is ${first}`);
  return corrected;
}

/** Seconds of recordings by path; undefined where they are not known. */
async function secondsOf(entries: readonly ManifestEntry[]): Promise<Map<string, number | undefined>> {
  const secondsOfPath = new Map<string, number | undefined>();
  const files = entries.filter(({ archive }) => archive === undefined).map(({ audioPath }) => audioPath);
  for (const [path, { duration }] of await inspectAll(files)) secondsOfPath.set(path, duration);
  for (const { audioPath: path, archive } of entries) {
    if (archive) secondsOfPath.set(path, await secondsInArchive(path, archive));
  }
  return secondsOfPath;
}

async function secondsInArchive(
  path: string,
  archive: NonNullable<ManifestEntry['archive']>,
): Promise<number | undefined> {
  try {
    return (await audioInfo(await recordingOf({ path, archive }))).duration;
  } catch (error) {
    if (error instanceof AnemoneError) return undefined;
    throw error;
  }
}
