// The public face of the nemo folder.
export { type InitFromOptions, initFrom, initFromConfig } from './init-from.js';
export { type ArchiveContext, type RestoreOptions, restoreArchive, restoreConfig } from './restore.js';
export type { ArchiveLayout } from './restored-config.js';
export { type Archivable, type ArchivedConfig, saveArchive } from './save.js';
export { sealedBut } from './sealed.js';
