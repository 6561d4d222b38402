// The tensorflow engine: programs run op by op on tfjs-node, when the user has installed it. It is never a
// dependency: it fetches a binary from outside npm and stands still at TensorFlow 2.9. See docs/engines.md.
import { createRequire } from 'node:module';
import { AnemoneError } from '../../errors/index.js';
import { registerGradients } from '../autodiff/index.js';
import { tf } from '../tf.js';
import { EagerEngine } from './eager-engine.js';
import { addExplicitPadding } from './explicit-padding.js';
import { addRoundedProducts } from './rounded-products.js';

/** Which tfjs-node is loaded, and how. */
export interface TensorFlowOptions {
  /** Package name or absolute path of a tfjs-node; default: tfjs-node-gpu if installed, else tfjs-node. */
  readonly module?: string | undefined;
  /** Threads inside an operator. Takes effect only before TensorFlow is first loaded. Default: TensorFlow's. */
  readonly threads?: number | undefined;
}

const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];
const BACKEND = 'tensorflow';

/** Throws `engine.tensorflow-missing` (not installed), `engine.tensorflow-broken` (installed, does not load). */
export function createTensorFlowEngine(options: TensorFlowOptions = {}): EagerEngine {
  if (options.threads !== undefined) process.env['TF_NUM_INTRAOP_THREADS'] = String(options.threads);
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'; // TensorFlow greets on stderr otherwise
  tf.env().set('PROD', true); // tfjs warns of every kernel that it registers a second time
  loadFirst(options.module ? [options.module] : PACKAGES);
  // tfjs-node brings tfjs's own gradients along; every engine differentiates by our tables.
  registerGradients(true);
  addExplicitPadding(BACKEND);
  addRoundedProducts(BACKEND);
  if (!tf.findBackend(BACKEND)) {
    throw new AnemoneError({
      code: 'engine.tensorflow',
      message: 'tfjs-node was loaded, but its TensorFlow backend did not start',
      hint: 'check that its version of @tensorflow/tfjs-core equals ours (4.22)',
    });
  }
  return new EagerEngine('tensorflow', BACKEND);
}

/** Loads the first of `names` that is installed. One that is installed but broken is an error, not skipped. */
function loadFirst(names: readonly string[]): void {
  const require = createRequire(import.meta.url);
  for (const name of names) {
    try {
      require(name);
      return;
    } catch (cause) {
      if (!isNotInstalled(cause, name)) throw brokenPackage(name, cause);
    }
  }
  throw new AnemoneError({
    code: 'engine.tensorflow-missing',
    message: `the tensorflow engine needs ${names.join(' or ')}, which ${names.length > 1 ? 'are' : 'is'} not installed`,
    hint:
      'npm install @tensorflow/tfjs-node@4.22.0 (or @tensorflow/tfjs-node-gpu), or use engine onnxruntime; ' +
      'docs/engines.md has a recipe for machines where its download fails',
  });
}

function isNotInstalled(cause: unknown, name: string): boolean {
  const error = cause as NodeJS.ErrnoException;
  return /MODULE_NOT_FOUND$/.test(error.code ?? '') && error.message.includes(name);
}

function brokenPackage(name: string, cause: unknown): AnemoneError {
  const text = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  const isNewNode = Number(process.versions.node.split('.')[0]) >= 23;
  return new AnemoneError({
    code: 'engine.tensorflow-broken',
    message: `${name} is installed but does not load: ${text}`,
    hint: isNewNode
      ? 'tfjs-node 4.22 calls functions that Node 23 removed: use Node 20 or 22'
      : 'its native library was not downloaded or built; docs/engines.md shows how to build it',
    cause,
  });
}
