// Chooses the subsampling that an encoder's config names.
import { Linear } from '../../nn/index.js';
import { Conv1dSubsampling } from './conv1d-subsampling.js';
import {
  ConvSubsampling,
  StackingSubsampling,
  type Subsampling,
  type SubsamplingOptions,
} from './subsampling.js';

/** A plain projection where the frame rate stays as it is. */
export function createSubsampling(options: SubsamplingOptions): Subsampling | Linear {
  if (options.factor === 1) return new Linear(options.featIn, options.featOut);
  switch (options.kind) {
    case 'stacking':
    case 'stacking_norm':
      return new StackingSubsampling(options, options.kind === 'stacking_norm');
    case 'striding_conv1d':
    case 'dw_striding_conv1d':
      return new Conv1dSubsampling(options);
    default:
      return new ConvSubsampling(options);
  }
}
