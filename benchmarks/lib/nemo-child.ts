// Anemone's side of nemo.ts: one task with a `.nemo` archive, over and over.
import { EncDecRNNTBPEModel, restoreModel } from '../../src/asr/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { serve } from './answer.js';

export interface NemoTask {
  readonly task: 'restore' | 'transcribe';
  /** The archive. */
  readonly model: string;
  readonly files: readonly string[];
  readonly batch: number;
  readonly threads: number;
  /** Section `decoding` of the model's config. */
  readonly decoding: Readonly<Record<string, unknown>>;
}

const { task, model: path, files, batch, threads, decoding } = JSON.parse(process.argv[2]) as NemoTask;

if (task === 'restore') {
  await serve({}, async () => {
    const engine = new OnnxEngine({ threads });
    await restoreModel(path, { engine });
    await engine.dispose();
    return {};
  });
} else {
  const engine = new OnnxEngine({ threads });
  const model = await restoreModel(path, { engine });
  if (!(model instanceof EncDecRNNTBPEModel)) throw new Error(`${path} holds no transducer`);
  model.changeDecoding(decoding);
  const texts = async () =>
    (await model.transcribe(files, { batchSize: batch })).map(({ tokens }) =>
      tokens.map(({ id }) => id).join(' '),
    );
  await serve({ texts: await texts() }, async () => {
    await texts();
    return {};
  });
  await engine.dispose();
}
