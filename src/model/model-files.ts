// The files of models.
import { basename } from 'node:path';
import { READ_FILE, type ReadFile, token } from '../container/index.js';
import { AnemoneError } from '../errors/index.js';

/**
 * Files that the config of a model names, where the model may come from an archive or a checkpoint with files of its
 * own.
 */
export class ModelFiles {
  /**
   * @param outside reads what is not in the archive
   * @param inside files of the archive: of one language LANG/NAME, else found by their base names
   * @param sealed whether a file comes from the archive alone: a stranger's must not name files of this machine
   */
  constructor(
    readonly outside: ReadFile,
    private readonly inside: ReadonlyMap<string, Uint8Array> = new Map(),
    readonly sealed: (path: string) => boolean = () => false,
  ) {}

  /** The same with another rule of what comes from the archive alone. */
  sealedBy(sealed: (path: string) => boolean): ModelFiles {
    return new ModelFiles(this.outside, this.inside, sealed);
  }

  /** For the model's own config. @throws AnemoneError `asr.sealed` */
  readonly read: ReadFile = (path, name) => {
    const bytes = this.find(path, name);
    if (!bytes && this.sealed(path)) {
      throw new AnemoneError({
        code: 'asr.sealed',
        message: 'the archive has no such file, and it may not name files of this machine',
        position: { file: path },
        hint: 'name the file yourself, as key=value',
      });
    }
    return bytes ?? this.outside(path, name);
  };

  /** For sections that the program gives, which may name any file. */
  readonly readGiven: ReadFile = (path, name) => this.find(path, name) ?? this.outside(path, name);

  private find(path: string, name?: string): Uint8Array | undefined {
    // Base names are not enough where each language has a folder of its own.
    const ownBytes = name?.includes('/') ? this.inside.get(name) : undefined;
    return ownBytes ?? this.inside.get(basename(path));
  }
}

/** Default: no archive. */
export const MODEL_FILES = token<ModelFiles>(
  'model-files',
  (container) => new ModelFiles(container.resolve(READ_FILE)),
);
