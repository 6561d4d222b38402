// The gradient of a convolution's image, as products with the filter and the sums of their columns by an operator of native/. ONNX
// Runtime's ConvTranspose computes the same, with channels first and with all columns of an image at once: nine times the image for a
// kernel of 3 × 3, which is neither in the planned block nor in a cache.
import type { tf } from '../../tf.js';
import { NATIVE_DOMAIN } from '../onnx-graph.js';
import type { Info, KernelContext } from './kernel.js';
import { windowOf } from './native-depthwise.js';

/** Numbers of the columns that are made at once, 4 MiB, or more where they would be more parts than this. */
const AT_ONCE = 2 ** 20;
const MOST_PARTS = 64;
/** Products of so few columns, which ConvTranspose makes for each image, are added up otherwise by ONNX Runtime. */
const FEW_POSITIONS = 64;

/**
 * dx [N,H,W,C] for dy [N,outH,outW,out] and filter [kh,kw,C,out], with the bits of ConvTranspose; undefined where there is no such
 * operator, or nothing is gained by it.
 */
export function imageOfColumns(
  { backend, graph }: KernelContext,
  dy: Info,
  filter: Info,
  c: tf.backend_util.Conv2DInfo,
): Info | undefined {
  const window = c.filterHeight * c.filterWidth * c.inChannels;
  const rows = c.batchSize * c.outHeight;
  const isSmall = rows * c.outWidth * window <= AT_ONCE;
  const hasFew = c.outHeight * c.outWidth <= FEW_POSITIONS;
  if (backend.limits.convolutions !== 'all' || isSmall || hasFew) return undefined;
  // From the last rows to the first: see native/columns.h. All products stand before the sums, so that each is run when it is asked for.
  const products = columnsOf({ backend, graph }, dy, filter, c).reverse();
  const image = products.reduce<string | undefined>((image, { first, columns }) => {
    const attributes = { geometry: geometryOf(c, first), sizes: c.inShape };
    const inputs = image === undefined ? [columns] : [columns, image];
    const sum = graph.one('ColumnsToImage', inputs, { domain: NATIVE_DOMAIN, attributes });
    backend.value(sum, c.inShape, 'float32');
    return sum;
  }, undefined);
  return backend.value(image as string, c.inShape, 'float32');
}

/** dy · filterᵀ [positions, kh·kw·C], some rows of dy at a time, and the first row of each. */
function columnsOf(
  { backend, graph }: KernelContext,
  dy: Info,
  filter: Info,
  c: tf.backend_util.Conv2DInfo,
): { readonly first: number; readonly columns: string }[] {
  const window = c.filterHeight * c.filterWidth * c.inChannels;
  const rows = c.batchSize * c.outHeight;
  const int = (values: readonly number[]) => graph.names.int64(values);
  const flat = graph.one('Reshape', [backend.name(dy), int([rows * c.outWidth, c.outChannels])]);
  const weights = graph.one('Reshape', [backend.name(filter), int([window, c.outChannels])]);
  const most = Math.max(1, Math.floor(AT_ONCE / (c.outWidth * window)));
  const parts = Math.min(MOST_PARTS, Math.ceil(rows / most));
  const bounds = Array.from({ length: parts + 1 }, (_, i) => Math.round((i * rows) / parts));
  return bounds.slice(1).map((end, i) => {
    const [from, to] = [bounds[i] * c.outWidth, end * c.outWidth];
    const part = graph.one('Slice', [flat, int([from]), int([to]), int([0])]);
    backend.value(part, [to - from, c.outChannels], 'float32');
    const columns = graph.one('Gemm', [part, weights], { attributes: { transB: 1 } });
    backend.value(columns, [to - from, window], 'float32');
    return { first: bounds[i], columns };
  });
}

/**
 * What filter tap (i, j) meets of x [N,H,W,C] at each position, [N,outH,outW,C], with no padded copy of x in between; undefined where there
 * is no such operator.
 */
export function tapOfImage(
  { backend, graph }: KernelContext,
  x: Info,
  c: tf.backend_util.Conv2DInfo,
  [i, j]: readonly [number, number],
): string | undefined {
  if (backend.limits.convolutions === 'none') return undefined;
  const shape = [c.batchSize, c.outHeight, c.outWidth, c.inChannels];
  const attributes = { geometry: [...windowOf(c), c.outHeight, c.outWidth, i, j].join(' '), sizes: shape };
  const tap = graph.one('ImageToTap', [backend.name(x)], { domain: NATIVE_DOMAIN, attributes });
  backend.value(tap, shape, 'float32');
  return tap;
}

function geometryOf(c: tf.backend_util.Conv2DInfo, first: number): string {
  const kernel = [c.filterHeight, c.filterWidth, c.outHeight, c.outWidth];
  return [...windowOf(c), c.inHeight, c.inWidth, ...kernel, c.batchSize, first].join(' ');
}
