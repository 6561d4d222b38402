// Entry point of the loader's worker threads: batches in, padded features out.
import { serve } from '../../workers/index.js';
import { pipelineOf } from './recipe.js';
import type { BatchFeatures, BatchTask, PipelineRecipe } from './task.js';
import { UtterancePipeline } from './utterance-pipeline.js';

serve<PipelineRecipe, BatchTask, BatchFeatures>(async (recipe) => {
  const pipeline = new UtterancePipeline(await pipelineOf(recipe));
  return async (task) => {
    const value = await pipeline.batch(task);
    return { value, transfer: [value.features.buffer as ArrayBuffer] };
  };
});
