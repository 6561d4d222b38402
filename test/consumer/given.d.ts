// What the TypeScript blocks of the documents take as given.
declare const model: import('anemone-ml').EncDecRNNTBPEModel;
declare const other: import('anemone-ml').EncDecRNNTBPEModel;
declare const trainer: import('anemone-ml').Trainer;
declare const tokenizer: import('anemone-ml/text').Tokenizer;
/** The folder of a tokenizer. */
declare const dir: string;
declare const MyEncoder: new (config: {
  readonly feat_in: number;
  readonly width: number;
}) => import('anemone-ml/asr').Encoder;
