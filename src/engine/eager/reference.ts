// The reference engine: tfjs's plain JavaScript kernels. Slow; it defines what the others must compute.
import { createRequire } from 'node:module';
import { tf } from '../tf.js';
import { EagerEngine } from './eager-engine.js';
import { addRoundedProducts } from './rounded-products.js';

/** The reference engine: tfjs's plain JavaScript kernels. Slow; it defines what the others must compute. */
export function createReferenceEngine(): EagerEngine {
  createRequire(import.meta.url)('@tensorflow/tfjs-backend-cpu'); // registers itself; few need it
  tf.env().set('PROD', true); // no advertisement for tfjs-node on the console
  addRoundedProducts('cpu');
  return new EagerEngine('reference', 'cpu');
}
