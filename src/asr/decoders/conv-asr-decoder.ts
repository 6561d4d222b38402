// The classifier of a CTC model, NeMo's ConvASRDecoder: a pointwise convolution and log-softmax.
import { AdapterSlot } from '../../adapters/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import { Linear, Module, type Pass, xavierUniform } from '../../nn/index.js';
import type { ConvASRDecoderConfig } from './config.js';

/** The classifier of a CTC model, NeMo's ConvASRDecoder: a pointwise convolution and log-softmax. */
export class ConvASRDecoder extends Module {
  /** Index of blank: the class after the last token. */
  readonly blank: number;
  private readonly layer: Linear;
  private readonly adapters: AdapterSlot;

  constructor(config: ConvASRDecoderConfig) {
    super();
    this.blank = config.num_classes;
    const classes = config.num_classes + 1;
    const weightInit = xavierUniform(config.feat_in, classes);
    this.layer = this.child(
      'decoder_layers.0',
      new Linear(config.feat_in, classes, { kernelAxes: 1, weightInit }),
    );
    this.adapters = this.child('adapter_layer', new AdapterSlot({ width: config.feat_in }));
  }

  /** What another vocabulary makes anew. */
  get vocabularyLayers(): readonly Module[] {
    return [this.layer];
  }

  /** encoded [B,T,d] → log-probabilities [B,T,V+1]. */
  forward(encoded: Tensor, pass: Pass): Tensor {
    const adapted = this.adapters.forward(encoded, pass);
    return pass.tap(this.path, tf.logSoftmax(this.layer.forward(adapted)));
  }
}
