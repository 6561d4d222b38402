// Models by name, so that a configuration's `target` says which one it describes.
import type { ConfigNode } from '../config/index.js';
import { type ComponentDescriptor, defineKind } from '../container/index.js';
import type { ModelContext } from './context.js';
import type { TrainableModel } from './trainable-model.js';

/** Makes models of one class. A model component builds this, for a model needs more than its config. */
export interface ModelFactory {
  /**
   * Makes a model of the config that has a `model` section, or of that section itself.
   * @throws AnemoneErrors all mistakes of the section
   */
  fromConfig(node: ConfigNode, context?: ModelContext): TrainableModel;
  /** The same for models that are made of files, and have weights from the start. It wins where it is there. */
  open?(node: ConfigNode, context: ModelContext): Promise<TrainableModel>;
}

/** Models as a kind of component: what `target` of a `model` section may name. */
export const modelKind = defineKind<ModelFactory>('model', 'a model');

/** A model component that knows its sections without their `target`, as NeMo's training scripts do. */
export interface RecognisingComponent extends ComponentDescriptor {
  /** Whether a section without `target` describes such a model. */
  recognises(section: ConfigNode): boolean;
}

/** Whether a component can tell its sections. */
export function recognisesSections(descriptor: ComponentDescriptor): descriptor is RecognisingComponent {
  return 'recognises' in descriptor;
}
