// CTC losses at inner layers of the encoder (InterCTC: Lee & Watanabe 2021), with the classifier of the last layer.
import { defineSchema, type InferConfig, listOf } from '../../config/index.js';
import type { Tensor, Tensors } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { addLosses, type Pass, scaleLoss, type WeightedLoss } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Encoded, Encoder } from '../encoders/encoder.js';
import type { FrameLoss } from '../losses/loss-kinds.js';
import { frameLossOf } from './ctc-head.js';
import { encoderPass } from './speech-inputs.js';

export const interCtcSchema = defineSchema(
  'interctc',
  {
    loss_weights: {
      doc: 'Share of the CTC loss of each inner layer; the last layer has the rest.',
      format: listOf('number'),
      default: [],
    },
    apply_at_layers: { doc: 'These layers, counted from 0.', format: listOf('int'), default: [] },
  },
  {
    doc: 'CTC losses at inner layers of the encoder.',
    refine: ({ loss_weights: weights, apply_at_layers: layers }, report) => {
      if (weights.length !== layers.length) {
        report('apply_at_layers', `${layers.length} layers for ${weights.length} loss_weights`);
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      if (total >= 1)
        report('loss_weights', `they sum to ${total}, and the last layer needs a share of the loss`);
    },
  },
);

/** The key of models that have a CTC branch. */
export const interCtcField = {
  interctc: { doc: 'CTC losses at inner layers.', format: interCtcSchema, nullable: true, default: null },
} as const;

export type InterCtcConfig = InferConfig<typeof interCtcSchema>;

/** A loss, and the losses that it is made of under the names of the log. */
export interface LossWithLogs {
  readonly loss: WeightedLoss;
  readonly logs?: Readonly<Record<string, WeightedLoss>>;
}

export class InterCtc {
  private readonly weights: readonly number[];
  /** Where there are losses, counted from 0. */
  readonly layers: readonly number[];
  /** Inner layers' outputs, by the encoder output they were computed with. */
  private readonly inner = new WeakMap<Tensor, ReadonlyMap<number, Encoded>>();

  /** @throws AnemoneError `asr.interctc-layer` if the encoder lacks a layer */
  constructor(
    config: InterCtcConfig | null,
    private readonly encoder: Encoder,
    private readonly decoder: ConvASRDecoder,
  ) {
    this.weights = config?.loss_weights ?? [];
    this.layers = config?.apply_at_layers ?? [];
    const count = encoder.layerCount ?? 0;
    const missingLayer = this.layers.find((layer) => layer < 0 || layer >= count);
    if (missingLayer === undefined) return;
    throw new AnemoneError({
      code: 'asr.interctc-layer',
      path: 'model.interctc.apply_at_layers',
      message: `there is no layer ${missingLayer}: ${count === 0 ? 'this encoder shows no inner layers' : `the encoder has layers 0 to ${count - 1}`}`,
    });
  }

  /** The encoder's output; what inner layers give is kept for `add`. */
  encode(inputs: Tensors, callerPass: Pass): Encoded {
    const { features, featureLengths } = inputs;
    const pass = encoderPass(inputs, callerPass);
    if (this.layers.length === 0) return this.encoder.forward(features, featureLengths, pass);
    const innerEncoded = new Map<number, Encoded>();
    const encoded = this.encoder.forward(features, featureLengths, pass, (layer, output) => {
      if (this.layers.includes(layer)) innerEncoded.set(layer, output);
    });
    this.inner.set(encoded.encoded, innerEncoded);
    return encoded;
  }

  /** `output` was made of `encoded`, an output of `encode`, and stands for it from now on. */
  follow(encoded: Tensor, output: Tensor): void {
    const innerEncoded = this.inner.get(encoded);
    if (innerEncoded) this.inner.set(output, innerEncoded);
  }

  /** (1 - Σw)·loss + Σ w·(CTC loss at the layer), for an output of `encode`. */
  add(
    loss: WeightedLoss,
    { encoded }: Pick<Encoded, 'encoded'>,
    { targets, targetLengths }: Tensors,
    pass: Pass,
    frameLoss: FrameLoss,
  ): LossWithLogs {
    if (!this.inner.has(encoded)) return { loss };
    const costs = this.losses({ encoded }, { targets, targetLengths }, pass, frameLoss);
    let total = scaleLoss(loss, 1 - this.weights.reduce((sum, weight) => sum + weight, 0));
    Object.values(costs).forEach((cost, i) => {
      total = addLosses(total, scaleLoss(cost, this.weights[i]));
    });
    return { loss: total, logs: { final_loss: loss, ...costs } };
  }

  /** The CTC loss at each layer, `inter_ctc_loss_lN`, for an output of `encode`. */
  losses(
    { encoded }: Pick<Encoded, 'encoded'>,
    { targets, targetLengths }: Tensors,
    pass: Pass,
    frameLoss: FrameLoss,
  ): Record<string, WeightedLoss> {
    const costs = this.innerOf(encoded).map(([layer, output]) => {
      const labels = { lengths: output.lengths, targets, targetLengths };
      return [`inter_ctc_loss_l${layer}`, frameLossOf(frameLoss, this.decoder, output.encoded, labels, pass)];
    });
    return Object.fromEntries(costs) as Record<string, WeightedLoss>;
  }

  /** What each layer gave for an output of `encode`; nothing without InterCTC. */
  innerOf(encoded: Tensor): (readonly [number, Encoded])[] {
    const innerEncoded = this.inner.get(encoded);
    if (!innerEncoded) return [];
    return this.layers.map((layer) => {
      const output = innerEncoded.get(layer)!;
      return [layer, { ...output, encoded: this.checked(layer, output) }] as const;
    });
  }

  private checked(layer: number, { encoded }: Encoded): Tensor {
    const width = encoded.shape[2];
    if (width === this.encoder.width) return encoded;
    throw new AnemoneError({
      code: 'asr.interctc-width',
      path: 'model.interctc.apply_at_layers',
      message: `layer ${layer} is ${width} wide and the classifier takes ${this.encoder.width}`,
    });
  }
}
