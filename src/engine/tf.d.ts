// The one place that names tfjs-core; tf.js is what runs. Model code says `import { tf } from '../engine/index.js'`.
export type { Tensor } from '@tensorflow/tfjs-core';
export * as tf from '@tensorflow/tfjs-core';
