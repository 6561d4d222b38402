// A model that Anemone does not have: CTC with a hidden layer in front of its classifier, behind any encoder. What
// configs and archives know of it is in family.ts.
import {
  asrComponents,
  ctcCosts,
  familyComponents,
  greedyCtc,
  type ModelFamily,
  type Recognizer,
  reduceCosts,
} from '../../src/asr/index.js';
import type { InferConfig } from '../../src/config/index.js';
import type { Tensors } from '../../src/engine/index.js';
import {
  type ConfigNode,
  type Container,
  type Engine,
  type ModelContext,
  SpeechModel,
  type Tensor,
  tf,
} from '../../src/index.js';
import { buildModel } from '../../src/model/index.js';
import { evaluationPass, Linear, Module, type Pass } from '../../src/nn/index.js';
import { deepCtcFamily, deepCtcSchema } from './family.js';

type DeepCtcConfig = InferConfig<typeof deepCtcSchema>;

class DeepClassifier extends Module {
  /** Index of blank: the class after the last token. */
  readonly blank: number;
  private readonly hidden: Linear;
  private readonly output: Linear;

  constructor(width: number, hidden: number, vocabulary: number) {
    super();
    this.blank = vocabulary;
    this.hidden = this.child('hidden', new Linear(width, hidden));
    this.output = this.child('output', new Linear(hidden, vocabulary + 1));
  }

  /** What another vocabulary makes anew. */
  get vocabularyLayers(): readonly Module[] {
    return [this.output];
  }

  /** [B,T,d] → [B,T,V+1] */
  forward(encoded: Tensor): Tensor {
    return this.output.forward(tf.relu(this.hidden.forward(encoded)));
  }
}

export class DeepCTCModel extends SpeechModel<DeepCtcConfig> {
  override readonly family: ModelFamily = deepCtcFamily;
  classifier: DeepClassifier;

  constructor(node: ConfigNode, settings: DeepCtcConfig, scope: Container) {
    super(node, settings, scope);
    const { width } = this.encoder;
    const { hidden } = settings.classifier;
    this.classifier = this.child('classifier', new DeepClassifier(width, hidden, this.tokenizer.vocabSize));
  }

  static fromConfig(node: ConfigNode, context: ModelContext = {}): DeepCTCModel {
    const make = (scope: Container, options: object) =>
      new DeepCTCModel(node, deepCtcSchema.parse(node, options), scope);
    return buildModel(context, asrComponents, make);
  }

  /** Log-probabilities [B,T,V+1] of frames [B,T,d]. */
  logProbabilities(encoded: Tensor): Tensor {
    return tf.logSoftmax(
      tf.div(this.classifier.forward(encoded), tf.scalar(this.settings.classifier.temperature)),
    );
  }

  /** Loss of a batch: features [B,T,F], targets int32 [B,U]. */
  override trainingStep({ features, featureLengths, targets, targetLengths }: Tensors, pass: Pass) {
    const { encoded, lengths } = this.encoder.forward(features, featureLengths, pass);
    const logProbabilities = this.logProbabilities(encoded);
    const { blank } = this.classifier;
    const costs = ctcCosts({ logProbabilities, targets, frames: lengths, tokens: targetLengths, blank });
    return { loss: reduceCosts(costs, targetLengths, 'mean_batch') };
  }

  protected override adopt(fresh: this): void {
    super.adopt(fresh);
    this.classifier = this.replaceChild('classifier', fresh.classifier);
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    const program = engine.compile('deep-ctc', ({ features, featureLengths }) => {
      const { encoded, lengths } = this.encoder.forward(features, featureLengths, evaluationPass);
      const scores = this.logProbabilities(encoded);
      return { best: tf.argMax(scores, 2), scores: tf.max(scores, 2), lengths: tf.clone(lengths) };
    });
    return {
      recognize: async ({ features, featureLengths }) => {
        const { best, scores, lengths } = await program.run({ features, featureLengths });
        const { blank } = this.classifier;
        const choices = {
          best: best.data,
          scores: scores.data,
          frames: best.shape[1],
          lengths: lengths.data,
        };
        return { hypotheses: greedyCtc({ ...choices, blank }) };
      },
    };
  }

  protected override transcriptOptions() {
    const plain = { timestamps: undefined, wordSeparator: ' ', segmentSeparators: [] };
    return { ...plain, kind: 'ctc' as const, segmentGap: null, confidence: undefined };
  }

  protected override streamHead(): never {
    throw new Error('DeepCTCModel needs the whole utterance');
  }

  protected override subnets(): never {
    throw new Error('DeepCTCModel is not exported');
  }
}

/** All that is registered: `createDefaultContainer().registerAll(deepCtcComponents)`, or `--import` of this file. */
export const deepCtcComponents = familyComponents(deepCtcFamily, DeepCTCModel);
