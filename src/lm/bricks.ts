// What a `model` section of a language model may name.
import { adapterComponents } from '../adapters/index.js';
import type { ComponentDescriptor } from '../container/index.js';
import { optimizerComponents, schedulerComponents } from '../optim/index.js';
import { tokenizerComponents } from '../text/index.js';

export const brickComponents: readonly ComponentDescriptor[] = [
  ...tokenizerComponents,
  ...optimizerComponents,
  ...schedulerComponents,
  ...adapterComponents,
];
