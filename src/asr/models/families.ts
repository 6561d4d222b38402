// The one list of families of speech models. A section without `target` is of the last of them that recognises it, so
// those that are made of others come after these.
import type { Loaded } from '../../config/index.js';
import type { ComponentDescriptor, KindOf } from '../../container/index.js';
import { modelKind } from '../../model/index.js';
import { brickComponents } from './bricks.js';
import { ctcFamily } from './ctc-family.js';
import { EncDecCTCModel, EncDecCTCModelBPE } from './ctc-model.js';
import { hybridFamily } from './hybrid-family.js';
import { EncDecHybridRNNTCTCBPEModel, EncDecHybridRNNTCTCModel } from './hybrid-model.js';
import { speechKinds } from './kinds.js';
import { familyComponents } from './model-component.js';
import { multiTaskFamily } from './multitask-family.js';
import { EncDecMultiTaskModel } from './multitask-model.js';
import { promptHybridFamily } from './prompt-hybrid-family.js';
import { EncDecHybridRNNTCTCBPEModelWithPrompt } from './prompt-hybrid-model.js';
import { rnntFamily } from './rnnt-family.js';
import { EncDecRNNTBPEModel, EncDecRNNTModel } from './rnnt-model.js';

/** The classes of all families, by the name that configs give them. */
const classes = {
  EncDecRNNTBPEModel,
  EncDecRNNTModel,
  EncDecCTCModelBPE,
  EncDecCTCModel,
  EncDecHybridRNNTCTCBPEModel,
  EncDecHybridRNNTCTCModel,
  EncDecHybridRNNTCTCBPEModelWithPrompt,
  EncDecMultiTaskModel,
} as const;

/** What `target` calls a class of this library, by its name or NeMo's path. */
export type StockTarget = keyof typeof classes | `nemo.collections.asr.models.${string}`;

/** A `model` section of any family of this library, as code may write it. */
export type StockSection = OfStockTarget<
  Exclude<Parameters<(typeof classes)[keyof typeof classes]['fromConfig']>[0], Loaded>
>;
type OfStockTarget<S> = S extends unknown
  ? Omit<S, 'target'> & { readonly target?: StockTarget | null }
  : never;

export const modelComponents: readonly ComponentDescriptor[] = [
  ...familyComponents(rnntFamily, classes.EncDecRNNTBPEModel, classes.EncDecRNNTModel),
  ...familyComponents(ctcFamily, classes.EncDecCTCModelBPE, classes.EncDecCTCModel),
  ...familyComponents(hybridFamily, classes.EncDecHybridRNNTCTCBPEModel, classes.EncDecHybridRNNTCTCModel),
  ...familyComponents(promptHybridFamily, classes.EncDecHybridRNNTCTCBPEModelWithPrompt),
  ...familyComponents(multiTaskFamily, classes.EncDecMultiTaskModel),
];

/** Every component of the asr folder, for the composition root. */
export const asrComponents: readonly ComponentDescriptor[] = [...brickComponents, ...modelComponents];

/** Every kind that speech models read, for the composition root. */
export const asrKinds: readonly KindOf<unknown>[] = [...speechKinds, modelKind];
