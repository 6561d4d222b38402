// A training run of a language model by several ranks, for tests: train-gpt-ranks.ts FOLDER TRAINER_JSON _ SECTION_JSON
import { createFromConfig } from '../../../src/asr/index.js';
import { createDefaultContainer } from '../../../src/composition.js';
import { configFromObject } from '../../../src/config/index.js';
import { reportAmongRanks } from '../../../src/distributed/index.js';
import { expManager, Trainer } from '../../../src/training/index.js';

const [folder, options, , section] = process.argv.slice(2);
try {
  const container = createDefaultContainer();
  const trainer = new Trainer({ log_every_n_steps: 1, ...JSON.parse(options) }, { container });
  await expManager(trainer, { explicit_log_dir: folder, name: 'gpt', create_tensorboard_logger: false });
  const model = await createFromConfig(configFromObject({ model: JSON.parse(section) }), trainer);
  await trainer.fit(model, { test: [] });
} catch (error) {
  const { text, exitCode } = reportAmongRanks(error);
  process.stderr.write(text);
  process.exitCode = exitCode;
}
