// What the `model` section of a speech model may name: its parts, optimizers and schedules.
import { adapterComponents } from '../../adapters/index.js';
import { augmentationComponents } from '../../audio/index.js';
import type { ComponentDescriptor } from '../../container/index.js';
import { dataComponents } from '../../data/index.js';
import { optimizerComponents, schedulerComponents } from '../../optim/index.js';
import { tokenizerComponents } from '../../text/index.js';
import { transformerComponents } from '../../transformer/index.js';
import { decoderComponents } from '../decoders/components.js';
import { decodingComponents } from '../decoding/decoding-kinds.js';
import { encoderComponents } from '../encoders/components.js';
import { frontEndComponents } from '../encoders/front-end.js';
import { lossComponents } from '../losses/config.js';

export const brickComponents: readonly ComponentDescriptor[] = [
  ...dataComponents,
  ...frontEndComponents,
  ...encoderComponents,
  ...decoderComponents,
  ...decodingComponents,
  ...lossComponents,
  ...augmentationComponents,
  ...tokenizerComponents,
  ...adapterComponents,
  ...transformerComponents,
  ...optimizerComponents,
  ...schedulerComponents,
];
