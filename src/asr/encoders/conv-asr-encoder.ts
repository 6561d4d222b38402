// Jasper, QuartzNet, Citrinet, ContextNet.
import type { Tensor } from '../../engine/index.js';
import {
  activationByName,
  fanInUniform,
  type Initializer,
  LayerCheckpoints,
  Module,
  normal,
  type Pass,
  type StackLayer,
  type StackState,
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
  readonly checkpoints: LayerCheckpoints;
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
    this.checkpoints = new LayerCheckpoints(config, blocks);
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
    const first = maskedFrames(features, featureLengths, pass.batchFrames, pass);
    /** Inputs of a block before the last: those of dense blocks. */
    let earlier: readonly MaskedFrames[] = [];
    const current = (): StackState => {
      const earlierInputs = earlier;
      const layer: StackLayer = (tensors, i, pass) =>
        tensorsOf(this.blocks[i].forward([...earlierInputs, framesOf(tensors)], pass));
      return { layer, pass };
    };
    let input = first;
    const each = (i: number, tensors: Tensor[]): Tensor[] => {
      const output = framesOf(tensors);
      earlier = this.blocks[i].dense ? [...earlier, input] : [];
      input = output;
      inner?.(i, { encoded: output.x, lengths: output.lengths });
      return tensors;
    };
    // A block sees what those before it have given, which is known when their group has ended.
    const breaks = this.blocks.flatMap((block, i) => (block.dense || this.blocks[i - 1]?.dense ? [i] : []));
    const out = framesOf(
      this.checkpoints.through(tensorsOf(first), current, { breaks, each, differentiable: 1 }),
    );
    return { encoded: pass.tap(this.path, out.x), lengths: out.lengths };
  }
}

function tensorsOf({ x, lengths, mask, extent }: MaskedFrames): Tensor[] {
  const frameTensors = [x, lengths, mask];
  return extent ? [...frameTensors, extent.frames, extent.mask, extent.share, extent.rowShare] : frameTensors;
}

function framesOf([x, lengths, mask, frames, ...extent]: readonly Tensor[]): MaskedFrames {
  const [own, share, rowShare] = extent;
  return { x, lengths, mask, extent: frames && { frames, mask: own, share, rowShare } };
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
