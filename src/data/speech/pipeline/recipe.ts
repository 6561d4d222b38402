// A pipeline on its way to worker threads: bricks as recipes, and bricks again.
import {
  augmentorOf,
  type FeatureAugmentation,
  type FrontEnd,
  madeOf,
  recipeOf,
} from '../../../audio/index.js';
import type { PipelineConfig, PipelineRecipe } from './task.js';

/** How workers make the pipeline; or the names of the bricks that cannot travel. */
export function pipelineRecipe(config: PipelineConfig): PipelineRecipe | readonly string[] {
  const { frontEnd, augmentor, specAugment, ...settings } = config;
  const front = recipeOf(frontEnd);
  const masks = specAugment && recipeOf(specAugment);
  const chain = augmentor?.toWorker();
  const staying = [
    ...(front ? [] : [nameOf(frontEnd)]),
    ...(augmentor?.staying.map(nameOf) ?? []),
    ...(specAugment && !masks ? [nameOf(specAugment)] : []),
  ];
  if (!front || staying.length > 0) return staying;
  return { settings, frontEnd: front, augmentor: chain, specAugment: masks };
}

/** The pipeline that a recipe describes. */
export async function pipelineOf(recipe: PipelineRecipe): Promise<PipelineConfig> {
  const { settings, frontEnd, augmentor, specAugment } = recipe;
  return {
    ...settings,
    frontEnd: await madeOf<FrontEnd>(frontEnd),
    augmentor: augmentor && (await augmentorOf(augmentor)),
    specAugment: specAugment && (await madeOf<FeatureAugmentation>(specAugment)),
  };
}

function nameOf(brick: object): string {
  return brick.constructor.name;
}
