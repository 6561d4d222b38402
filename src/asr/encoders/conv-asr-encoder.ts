// Jasper, QuartzNet, Citrinet, ContextNet.
import type { Tensor } from '../../engine/index.js';
import {
  activationByName,
  fanInUniform,
  type Initializer,
  Module,
  normal,
  type Pass,
  uniform,
  xavierUniform,
} from '../../nn/index.js';
import type { ConvASREncoderConfig } from './conv-asr-config.js';
import type { Encoded, Encoder, InnerLayers } from './encoder.js';
import { JasperBlock, type MaskedFrames, maskedFrames, single } from './jasper-block.js';

/**
 * The convolutional encoders, NeMo's ConvASREncoder: a list of blocks makes it a Jasper, QuartzNet, Citrinet or
 * ContextNet.
 */
export class ConvASREncoder extends Module implements Encoder {
  readonly width: number;
  readonly subsamplingFactor: number;
  private readonly blocks: readonly JasperBlock[];

  constructor(readonly config: ConvASREncoderConfig) {
    super();
    const activation = activationByName(config.activation);
    const weightInit = initializer(config.init_mode);
    const blocks: JasperBlock[] = [];
    const panes: number[] = [];
    let residualMode = config.residual_mode;
    let inChannels = config.feat_in * (config.frame_splicing ?? 1);
    for (const block of config.jasper) {
      if (block.residual_dense) panes.push(inChannels);
      residualMode = block.residual_mode ?? residualMode;
      blocks.push(
        new JasperBlock(block, {
          inChannels,
          panes: block.residual_dense ? [...panes] : [],
          residualMode,
          activation,
          normalization: config.normalization_mode,
          normGroups: config.norm_groups,
          masked: config.conv_mask,
          weightInit,
        }),
      );
      inChannels = block.filters;
    }
    this.blocks = this.children('encoder', blocks);
    this.width = inChannels;
    this.subsamplingFactor = config.jasper.reduce((factor, block) => factor * single(block.stride), 1);
  }

  get layerCount(): number {
    return this.blocks.length;
  }

  outputLength(frames: number): number {
    return this.blocks.reduce((length, block) => block.outputLength(length), frames);
  }

  forward(features: Tensor, featureLengths: Tensor, pass: Pass, inner?: InnerLayers): Encoded {
    let inputs: readonly MaskedFrames[] = [maskedFrames(features, featureLengths, pass.batchFrames, pass)];
    let out = inputs[0];
    this.blocks.forEach((block, i) => {
      out = block.forward(inputs, pass);
      inputs = block.dense ? [...inputs, out] : [out];
      inner?.(i, { encoded: out.x, lengths: out.lengths });
    });
    return { encoded: pass.tap(this.path, out.x), lengths: out.lengths };
  }
}

/** PyTorch's initialisations by their names in NeMo. */
function initializer(
  mode: ConvASREncoderConfig['init_mode'],
): (fanIn: number, fanOut: number) => Initializer {
  switch (mode) {
    case 'xavier_uniform':
      return xavierUniform;
    case 'xavier_normal':
      return (fanIn, fanOut) => normal(Math.sqrt(2 / (fanIn + fanOut)));
    case 'kaiming_uniform':
      return (fanIn) => uniform(Math.sqrt(6 / fanIn));
    case 'kaiming_normal':
      return (fanIn) => normal(Math.sqrt(2 / fanIn));
    case 'tds_uniform':
      return (fanIn) => uniform(2 / Math.sqrt(fanIn));
    case 'tds_normal':
      return (fanIn) => normal(2 / Math.sqrt(fanIn));
    default:
      return fanInUniform;
  }
}
