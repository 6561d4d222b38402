// Where in tar archives the recordings of a manifest lie. Archives are indexed by their headers, which are a
// seek each; recordings are read later, each where it lies, so that order and buckets are those of a data set
// of files. Compressed archives cannot be read that way.
import { basename, extname, resolve } from 'node:path';
import { AnemoneError } from '../../../errors/index.js';
import { fileSource, readTar } from '../../../formats/index.js';
import type { ArchivePlace, ManifestEntry } from '../manifest/index.js';

interface Found extends ArchivePlace {
  readonly name: string;
  readonly shard: number;
}

/** Archives whose tables are read at a time. */
const AT_ONCE = 4;

export interface Located {
  /** Entries that were found, with their places; `audioPath` names archive and member. */
  readonly entries: readonly ManifestEntry[];
  /** Entries whose recording no archive has. */
  readonly missing: readonly ManifestEntry[];
}

/**
 * Finds each entry by its file's name without folder and extension, as NeMo does; where several archives have that
 * name, by `shard_id`.
 * @throws AnemoneError `data.archive` (missing, remote, compressed), `tar.*`
 */
export async function findMembers(
  entries: readonly ManifestEntry[],
  archives: readonly string[],
): Promise<Located> {
  const wantedIds = new Set(entries.flatMap((entry) => idsOf(entry)));
  const places = new Map<string, Found[]>();
  for (let from = 0; from < archives.length; from += AT_ONCE) {
    const someArchives = archives.slice(from, from + AT_ONCE);
    const tables = await Promise.all(someArchives.map((path, i) => tableOf(path, shardOf(path) ?? from + i)));
    for (const member of tables.flat()) {
      const id = fileId(member.name);
      if (wantedIds.has(id)) places.set(id, [...(places.get(id) ?? []), member]);
    }
  }
  const locatedEntries: ManifestEntry[] = [];
  const missingEntries: ManifestEntry[] = [];
  for (const entry of entries) {
    const candidates = idsOf(entry).flatMap((id) => places.get(id) ?? []);
    const place = candidates.find(({ shard }) => shard === entry.shardId) ?? candidates[0];
    if (!place) missingEntries.push(entry);
    else {
      const { path, offset, size, name } = place;
      locatedEntries.push({ ...entry, audioPath: `${path}:${name}`, archive: { path, offset, size } });
    }
  }
  return { entries: locatedEntries, missing: missingEntries };
}

async function tableOf(givenPath: string, shard: number): Promise<Found[]> {
  if (/^(pipe:|[a-z][a-z0-9+.-]+:\/\/)/i.test(givenPath)) {
    throw archiveError(givenPath, 'only archives in the file system can be read', 'copy it here');
  }
  const path = resolve(givenPath);
  const source = await fileSource(path, 'data.archive');
  try {
    const [a, b] = await source.read(0, 2);
    if (a === 0x1f && b === 0x8b) {
      throw archiveError(path, 'the archive is compressed', 'unpack it with gunzip; audio hardly shrinks');
    }
    const { members } = await readTar(source);
    return [...members.values()].map(({ name, offset, size }) => ({ path, name, offset, size, shard }));
  } finally {
    await source.close();
  }
}

function archiveError(file: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'data.archive', message, position: { file }, hint });
}

/** The number at the end of the name, as NeMo's scripts give it. */
function shardOf(path: string): number | undefined {
  const match = /(\d+)\.tar$/.exec(path);
  return match ? Number(match[1]) : undefined;
}

function fileId(path: string): string {
  return basename(path, extname(path));
}

/** A recording of several utterances is packed once; NeMo's scripts tell them apart by `-sub1`, `-sub2`. */
function idsOf({ audioPath }: ManifestEntry): string[] {
  const id = fileId(audioPath);
  const wholeId = id.replace(/-sub\d+$/, '');
  return wholeId === id ? [id] : [id, wholeId];
}
