// Command: trains a transducer whose encoder is not part of the library, on twenty recorded digits.
//   npx tsx examples/custom-encoder/train.ts [overrides of model.yaml, such as model.encoder.width=96]
import { fileURLToPath } from 'node:url';
import { createDefaultContainer, EncDecRNNTModel, runWithConfig, Trainer } from '../../src/index.js';
import { timeDelayEncoder } from './encoder.js';

process.exitCode = await runWithConfig(
  async (cfg) => {
    const container = createDefaultContainer().registerAll([timeDelayEncoder]);
    const trainer = new Trainer(cfg['trainer'], { container });
    try {
      const model = EncDecRNNTModel.fromConfig(cfg.model, trainer);
      const { metrics } = await trainer.fit(model);
      const recording = fileURLToPath(new URL('../digits/voices/allison/7.flac', import.meta.url));
      const [heard] = await model.transcribe([recording]);
      console.log(`training loss ${metrics['train/loss'].toFixed(2)}; 7.flac is heard as "${heard.text}"`);
    } finally {
      await trainer.dispose();
    }
  },
  { configName: 'model' },
);
