// A user's training script: trains by the API, sees the loss fall, transcribes letters.
import assert from 'node:assert/strict';
import { createModel, loadConfig, Trainer } from 'anemone-ml';

const cfg = loadConfig('tone.yaml', ['trainer.max_epochs=60']);
const trainer = new Trainer(cfg.trainer);
const losses = [];
trainer.loggers.push({
  async start() {},
  async log(_step, { 'train/loss': loss }) {
    if (loss !== undefined) losses.push(loss);
  },
  async text() {},
  async close() {},
});
const model = createModel(cfg.model, trainer);
await trainer.fit(model);
assert.equal(losses.length, 120);
assert.ok(losses.at(-1) < losses[0] / 4, `the loss does not fall: ${losses}`);
const [{ text }] = await model.transcribe(['tones/0.wav']);
assert.match(text, /^[abc ]+$/);
console.log(`API: loss ${losses[0].toFixed(3)} to ${losses.at(-1).toFixed(3)}, transcript "${text}"`);
