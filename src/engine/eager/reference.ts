// The engine that the others are compared with.
import '@tensorflow/tfjs-backend-cpu';
import { tf } from '../tf.js';
import { EagerEngine } from './eager-engine.js';

/** The reference engine: tfjs's plain JavaScript kernels. Slow; it defines what the others must compute. */
export function createReferenceEngine(): EagerEngine {
  tf.env().set('PROD', true); // no advertisement for tfjs-node on the console
  return new EagerEngine('reference', 'cpu');
}
