// What a model needs besides its configuration. A Trainer fits this interface.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Container } from '../../container/index.js';
import type { Engine } from '../../engine/index.js';
import type { ReadFile } from '../../text/index.js';
import { asrComponents } from '../components.js';

export interface ModelContext {
  /** Seed of the initial weights and of the data's order and augmentation. Default 0. */
  readonly seed?: number;
  /** Knows the components that the configuration may name. Default: those of this library. */
  readonly container?: Container;
  /** Holds the weights; `transcribe` runs on it unless told otherwise. */
  readonly engine?: Engine;
  /** Files from a checkpoint, which take the place of those on disk with the same base name. */
  readonly artifacts?: ReadonlyMap<string, Uint8Array>;
  /** Gets a line for the user at a time. Default: dropped. */
  readonly log?: (line: string) => void;
}

export function containerOf(context: ModelContext): Container {
  return context.container ?? new Container().registerAll(asrComponents);
}

export function fileReader(context: ModelContext): ReadFile {
  return (path) => context.artifacts?.get(basename(path)) ?? readFileSync(path);
}
