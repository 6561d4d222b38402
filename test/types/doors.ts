// The doors of the library as the compiler sees them: this file is checked by `npm run typecheck` and is not run. A line
// below `@ts-expect-error` must not compile; all others must.
import {
  Checkpoint,
  CheckpointCallback,
  type ConfigNode,
  configFromObject,
  configFromText,
  createFromConfig,
  createModel,
  EarlyStopping,
  EncDecCTCModel,
  EncDecCTCModelBPE,
  EncDecHybridRNNTCTCBPEModel,
  EncDecMultiTaskModel,
  EncDecRNNTModel,
  type Engine,
  expManager,
  isSpeechModel,
  loadConfig,
  mergeConfigs,
  restoreModel,
  type SpeechModel,
  Trainer,
  withOverrides,
} from '../../src/index.js';

declare const engine: Engine;
const stopping = { monitor: 'val_loss', mode: 'min', patience: 3, checkFinite: true } as const;
const config = loadConfig('train.yaml');
const parts = {
  preprocessor: { _target_: 'AudioToMelSpectrogramPreprocessor' },
  encoder: { _target_: 'ConformerEncoder', n_layers: 1 },
  decoder: { _target_: 'ConvASRDecoder' },
};

export function trainers() {
  new Trainer();
  new Trainer({});
  new Trainer({
    max_epochs: 3,
    max_time: { hours: 2 },
    engine: { name: 'reference' },
    val_check_interval: 0.5,
  });
  new Trainer({ accumulate_grad_batches: { 0: 1, 4: 2 }, callbacks: [{ _target_: 'Notify', after: 3 }] });
  new Trainer({ accelerator: 'auto', strategy: 'ddp', precision: 'bf16-mixed', devices: -1 });
  new Trainer(config.trainer);
  new Trainer(withOverrides(config, ['trainer.max_epochs=3']).trainer);
  new Trainer(configFromText('trainer: {}').trainer, { callbacks: [] });
  new Trainer(configFromObject({ trainer: { max_epochs: 3 } }).trainer);
  new Trainer(mergeConfigs(config, { trainer: { max_epochs: 3 } }).trainer);
  new Trainer({ ...config.trainer, max_epochs: 3 });
  // @ts-expect-error a mistyped key
  new Trainer({ max_epoch: 3 });
  // @ts-expect-error a mistyped key beside a right one
  new Trainer({ max_epochs: 3, max_step: 4 });
  // @ts-expect-error no section
  new Trainer(42);
  // @ts-expect-error no section
  new Trainer('trainer.yaml');
  // @ts-expect-error a wrong type
  new Trainer({ max_epochs: '3' });
  // @ts-expect-error no such choice
  new Trainer({ gradient_clip_algorithm: 'norms' });
  // @ts-expect-error an engine has no such option
  new Trainer({ engine: { name: 'onnxruntime', thread: 2 } });
  // @ts-expect-error the whole config in place of its section has no mark of the section, but a list has none at all
  new Trainer([config.trainer]);
  // @ts-expect-error a mistyped dependency
  new Trainer({}, { callback: [] });
  // @ts-expect-error a callback's section names its class
  new Trainer({ callbacks: [{ after: 3 }] });
}

export async function managers(trainer: Trainer) {
  await expManager(trainer, config.exp_manager);
  await expManager(trainer, null);
  await expManager(trainer, {
    name: 'digits',
    checkpoint_callback_params: { monitor: 'val_wer', save_top_k: 2 },
  });
  // @ts-expect-error a mistyped key
  await expManager(trainer, { nam: 'digits' });
  // @ts-expect-error a mistyped key of a section in it
  await expManager(trainer, { checkpoint_callback_params: { monitors: 'val_wer' } });
  // @ts-expect-error no section
  await expManager(trainer, 'runs');
  new EarlyStopping({ ...stopping, minDelta: 0 });
  // @ts-expect-error a callback's options in code have names of their own
  new EarlyStopping({ ...stopping, minDelta: 0, min_delta: 0 });
  // @ts-expect-error it needs a folder
  new CheckpointCallback({});
}

export async function models(trainer: Trainer, section: ConfigNode) {
  EncDecCTCModel.fromConfig(config.model, trainer);
  EncDecCTCModel.fromConfig(section);
  EncDecCTCModel.fromConfig({
    ...parts,
    labels: ['a', 'b'],
    train_ds: { manifest_filepath: 'a.json', batch_size: 4 },
  });
  EncDecCTCModel.fromConfig({
    ...parts,
    labels: ['a'],
    optim: { name: 'adamw', lr: 0.1, sched: { name: 'CosineAnnealing' } },
  });
  // @ts-expect-error a mistyped key, and required ones are missing
  EncDecCTCModel.fromConfig({ encodr: 1 });
  // @ts-expect-error a mistyped key beside all that is required
  EncDecCTCModel.fromConfig({ ...parts, labels: ['a'], encodr: 1 });
  // @ts-expect-error an encoder's section names its class
  EncDecCTCModelBPE.fromConfig({ ...parts, encoder: { n_layers: 1 } });
  // @ts-expect-error a mistyped key of the training data
  EncDecCTCModel.fromConfig({ ...parts, train_ds: { manifest_filepaths: 'a.json' } });
  // @ts-expect-error a transducer has a joint
  EncDecRNNTModel.fromConfig({ ...parts });
  EncDecRNNTModel.fromConfig({ ...parts, joint: { _target_: 'RNNTJoint' } });
  // @ts-expect-error a hybrid has both branches
  EncDecHybridRNNTCTCBPEModel.fromConfig({ ...parts, joint: { _target_: 'RNNTJoint' } });
  // @ts-expect-error a wrong type
  EncDecMultiTaskModel.fromConfig(42);

  const speech: SpeechModel = createModel({ ...parts, labels: ['a'] });
  const own = createModel({ target: 'my.package.Model', width: 3 }, trainer);
  const loaded = createModel(config.model, trainer);
  await trainer.fit(own);
  await trainer.fit(loaded);
  // @ts-expect-error it may be of a class of one's own, which need not hear
  await loaded.transcribe(['a.wav']);
  if (isSpeechModel(loaded)) {
    const [{ text }] = await loaded.transcribe(['a.wav']);
    loaded.changeDecoding({ strategy: 'maes', beam: { beam_size: 4 } });
    loaded.addAdapter('encoder:accent', { _target_: 'LinearAdapter', dim: 32 });
    text.trim();
  }
  // @ts-expect-error a mistyped key
  createModel({ ...parts, encodr: 1 });
  // @ts-expect-error a mistyped key of a class of this library, named
  createModel({ ...parts, target: 'EncDecCTCModel', encodr: 1 });
  // @ts-expect-error no section
  createModel(42);

  const restored = await restoreModel('model.nemo', trainer);
  await restored.transcribe(['a.wav'], { timestamps: true });
  restored.changeDecoding({ strategy: 'beam', beam: { beam_size: 8 } });
  await trainer.fit(restored);
  // @ts-expect-error a mistyped key
  restored.changeDecoding({ strateggy: 'beam' });
  // @ts-expect-error an adapter's section names its class
  restored.addAdapter('accent', { dim: 32 });

  await createFromConfig(config, { engine });
  await createFromConfig({ model: { ...parts, labels: ['a'] }, init_from_nemo_model: 'a.nemo' }, { engine });
  // @ts-expect-error a mistyped key of the model
  await createFromConfig({ model: { ...parts, encodr: 1 } }, { engine });
  // @ts-expect-error no config
  await createFromConfig(42, { engine });
  return [speech, Checkpoint];
}

export function decoding(ctc: EncDecCTCModel, rnnt: EncDecRNNTModel, hybrid: EncDecHybridRNNTCTCBPEModel) {
  ctc.changeDecoding({ strategy: 'beam', beam: { beam_size: 4 } });
  rnnt.changeDecoding({ strategy: 'alsd', beam: { alsd_max_target_len: 2 } });
  hybrid.changeDecodingStrategy('ctc', { strategy: 'beam' });
  hybrid.changeDecodingStrategy('rnnt');
  rnnt.changeDecoding(config.model);
  // @ts-expect-error a strategy of transducers
  ctc.changeDecoding({ strategy: 'maes' });
  // @ts-expect-error a mistyped key
  rnnt.changeDecoding({ beam: { beam: 4 } });
  // @ts-expect-error no such branch
  hybrid.changeDecodingStrategy('attention');
}
