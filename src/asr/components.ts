// Every component of the asr folder, for the composition root.
import type { ComponentDescriptor } from '../container/index.js';
import { decoderComponents } from './decoders/components.js';
import { encoderComponents } from './encoders/components.js';
import { frontEndComponents } from './front-end.js';

export const asrComponents: readonly ComponentDescriptor[] = [
  ...frontEndComponents,
  ...encoderComponents,
  ...decoderComponents,
];
