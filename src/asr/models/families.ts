// The one list of families of speech models. A section without `target` is of the last of them that recognises it, so
// those that are made of others come after these.
import type { ComponentDescriptor, KindOf } from '../../container/index.js';
import { brickComponents } from './bricks.js';
import { ctcFamily } from './ctc-family.js';
import { EncDecCTCModel, EncDecCTCModelBPE } from './ctc-model.js';
import { hybridFamily } from './hybrid-family.js';
import { EncDecHybridRNNTCTCBPEModel, EncDecHybridRNNTCTCModel } from './hybrid-model.js';
import { speechKinds } from './kinds.js';
import { familyComponents, modelKind } from './model-component.js';
import { multiTaskFamily } from './multitask-family.js';
import { EncDecMultiTaskModel } from './multitask-model.js';
import { promptHybridFamily } from './prompt-hybrid-family.js';
import { EncDecHybridRNNTCTCBPEModelWithPrompt } from './prompt-hybrid-model.js';
import { rnntFamily } from './rnnt-family.js';
import { EncDecRNNTBPEModel, EncDecRNNTModel } from './rnnt-model.js';

export const modelComponents: readonly ComponentDescriptor[] = [
  ...familyComponents(rnntFamily, EncDecRNNTBPEModel, EncDecRNNTModel),
  ...familyComponents(ctcFamily, EncDecCTCModelBPE, EncDecCTCModel),
  ...familyComponents(hybridFamily, EncDecHybridRNNTCTCBPEModel, EncDecHybridRNNTCTCModel),
  ...familyComponents(promptHybridFamily, EncDecHybridRNNTCTCBPEModelWithPrompt),
  ...familyComponents(multiTaskFamily, EncDecMultiTaskModel),
];

/** Every component of the asr folder, for the composition root. */
export const asrComponents: readonly ComponentDescriptor[] = [...brickComponents, ...modelComponents];

/** Every kind that speech models read, for the composition root. */
export const asrKinds: readonly KindOf<unknown>[] = [...speechKinds, modelKind];
