// Gradients of 2-D convolutions (NHWC) and max pooling.
import { tf } from '../tf.js';
import type { Gradient } from './gradient.js';

interface ConvAttrs {
  strides: [number, number] | number;
  pad: 'same' | 'valid' | number;
  dataFormat: 'NHWC' | 'NCHW';
  dilations: [number, number] | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export const convolutionGradients: readonly Gradient[] = [
  {
    kernel: 'Conv2D',
    inputs: ['x', 'filter'],
    backward: (dy, [x, filter], attrs) => {
      const { strides, pad, dataFormat, dimRoundingMode } = attrs as unknown as ConvAttrs;
      const filterShape = filter.shape as [number, number, number, number];
      const run = (kernelName: string, inputs: Record<string, tf.Tensor>, moreAttrs: object) =>
        tf
          .engine()
          .runKernel(
            kernelName,
            inputs as never,
            { strides, pad, dataFormat, dimRoundingMode, ...moreAttrs } as never,
          ) as tf.Tensor;
      return {
        x: () => run('Conv2DBackpropInput', { dy, filter }, { inputShape: x.shape }),
        filter: () => run('Conv2DBackpropFilter', { x, dy }, { filterShape }),
      };
    },
  },
  {
    kernel: 'DepthwiseConv2dNative',
    inputs: ['x', 'filter'],
    backward: (dy, [x, filter], attrs) => {
      const { strides, pad, dimRoundingMode } = attrs as unknown as ConvAttrs;
      const dilations = (attrs as unknown as ConvAttrs).dilations ?? [1, 1];
      const run = (kernelName: string, inputs: Record<string, tf.Tensor>, moreAttrs: object) =>
        tf
          .engine()
          .runKernel(
            kernelName,
            inputs as never,
            { strides, pad, dimRoundingMode, dilations, ...moreAttrs } as never,
          ) as tf.Tensor;
      return {
        x: () => run('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { inputShape: x.shape }),
        filter: () => run('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { filterShape: filter.shape }),
      };
    },
  },
];
