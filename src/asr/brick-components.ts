// The parts of speech models that a configuration may name.
import type { ComponentDescriptor } from '../container/index.js';
import { decoderComponents } from './decoders/components.js';
import { encoderComponents } from './encoders/components.js';
import { frontEndComponents } from './front-end.js';

export const brickComponents: readonly ComponentDescriptor[] = [
  ...frontEndComponents,
  ...encoderComponents,
  ...decoderComponents,
];
