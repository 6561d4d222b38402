// Entry point of the loader's worker threads: batches in, padded features out.
import { serve } from '../../workers/index.js';
import type { BatchFeatures, BatchTask, PipelineConfig } from './task.js';
import { UtterancePipeline } from './utterance-pipeline.js';

serve<PipelineConfig, BatchTask, BatchFeatures>((config) => {
  const pipeline = new UtterancePipeline(config);
  return async (task) => {
    const value = await pipeline.batch(task);
    return { value, transfer: [value.features.buffer as ArrayBuffer] };
  };
});
