// A program that leaves an epoch in the middle and forgets to close its source: it must end all the same.
import { MelFrontEnd } from '../../src/audio/index.js';
import { dataSchema, openSpeechSource } from '../../src/data/index.js';

const section = dataSchema.parse({ manifest_filepath: process.argv[2], batch_size: 2, num_workers: 1 });
const source = await openSpeechSource({
  name: 'train_ds',
  section,
  training: true,
  seed: 1,
  frontEnd: new MelFrontEnd({ sample_rate: 8000, features: 8 }),
  tokenize: () => [1],
});
for await (const batch of source?.epoch(0) ?? []) {
  console.log(`left after ${batch.size}`);
  break;
}
