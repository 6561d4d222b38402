// The reference engine: tfjs's plain JavaScript kernels. Slow; it defines what the others must compute.
import '@tensorflow/tfjs-backend-cpu';
import { tf } from '../tf.js';
import { EagerEngine } from './eager-engine.js';

export function createReferenceEngine(): EagerEngine {
  tf.env().set('PROD', true); // no advertisement for tfjs-node on the console
  return new EagerEngine('reference', 'cpu');
}
