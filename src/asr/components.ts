// Every component of the asr folder, for the composition root.
import type { ComponentDescriptor } from '../container/index.js';
import { brickComponents } from './brick-components.js';
import { modelComponents } from './models/components.js';

export const asrComponents: readonly ComponentDescriptor[] = [...brickComponents, ...modelComponents];
