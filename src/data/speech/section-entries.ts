// The utterances that a data section names: in manifests, or in manifests and archives.
import { basename } from 'node:path';
import { pathOf, positionOf } from '../../config/index.js';
import { AnemoneError, AnemoneErrors, formatPosition } from '../../errors/index.js';
import { type ManifestEntry, manifestFiles, readManifests } from './manifest/index.js';
import type { DataSection } from './section.js';
import { expandShards, findMembers } from './tarred/index.js';

/** Manifests of the section; those of archives may have braces too. */
export function manifestsOf({ manifest_filepath: spec, is_tarred }: DataSection): string[] {
  if (spec === null) return [];
  return manifestFiles(is_tarred ? expandShards(spec) : spec);
}

/**
 * Utterances of the manifests, found in their archives where there are any.
 * @throws AnemoneError, AnemoneErrors of manifests and archives; `data.not-in-archives` when none is found
 */
export async function sectionEntries(
  section: DataSection,
  files: readonly string[],
  {
    name,
    log,
    custom,
  }: {
    readonly name: string;
    readonly log: (line: string) => void;
    /** Keys of the manifest to keep. */
    readonly custom?: readonly string[] | undefined;
  },
): Promise<readonly ManifestEntry[]> {
  const listedEntries = await named(section, () =>
    readManifests(files, { textField: section.text_field, custom }),
  );
  const { is_tarred, tarred_audio_filepaths: paths } = section;
  if (paths === null) return listedEntries;
  if (!is_tarred) {
    log('tarred_audio_filepaths is not used: is_tarred is false');
    return listedEntries;
  }
  const archives = expandShards(paths);
  const { entries, missing } = await findMembers(listedEntries, archives);
  log(`${archives.length} archives hold ${entries.length} of ${listedEntries.length} utterances`);
  if (missing.length === 0) return entries;
  const [{ source, audioPath }] = missing;
  const message = `${missing.length} utterances are in no archive; the first is ${formatPosition(source)}: ${basename(audioPath)}`;
  if (entries.length > 0) log(`warning: ${message}`);
  else {
    throw new AnemoneError({
      code: 'data.not-in-archives',
      path: `${name}.tarred_audio_filepaths`,
      message,
      hint: 'manifest and archives must be of the same data set: files are found by their names',
    });
  }
  return entries;
}

/** Errors of whole manifests, which say where a manifest is wrong. */
const OF_FILES = ['data.manifest-missing', 'data.manifest-unreadable', 'data.empty-manifest'];

/** What `read` gives; a manifest that cannot be used has the line of the config that names it, where it is known. */
async function named<T>(section: DataSection, readEntries: () => Promise<T>): Promise<T> {
  try {
    return await readEntries();
  } catch (error) {
    if (error instanceof AnemoneErrors) {
      throw new AnemoneErrors(
        error.code,
        error.reason,
        error.errors.map((each) => placed(section, each)),
      );
    }
    throw error instanceof AnemoneError ? placed(section, error) : error;
  }
}

function placed(section: DataSection, error: AnemoneError): AnemoneError {
  const position = positionOf(section, 'manifest_filepath');
  if (!position || !error.position || !OF_FILES.includes(error.code)) return error;
  const { code, hint, details } = error;
  return new AnemoneError({
    code,
    path: `${pathOf(section)}.manifest_filepath`,
    position,
    message: `${error.position.file}: ${error.reason}`,
    hint,
    details,
    cause: error,
  });
}
