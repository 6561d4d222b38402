// From a data section of the configuration to a running BatchSource: reads the manifests, filters, encodes
// the transcripts, picks buckets, sets up workers and cache. What it decided is told to `log`.
import { basename, extname } from 'node:path';
import {
  type AugmentationMaker,
  Augmentor,
  type FeatureAugmentation,
  type FrontEnd,
  MAX_SECONDS,
  MelFrontEnd,
  plainCopy,
} from '../../audio/index.js';
import { positionOf, withPosition } from '../../config/index.js';
import { coresOfRank } from '../../distributed/index.js';
import { AnemoneError } from '../../errors/index.js';
import { CounterRandom } from '../../random/index.js';
import { type BatchingConfig, describeEstimate } from './batching/index.js';
import { SpeechDataset, utterancesOf } from './dataset.js';
import { encodeUtterances, type SpeechLabels } from './labels.js';
import { type LoaderConfig, SpeechSource } from './loader.js';
import {
  describeDropped,
  filterEntries,
  filterTokenRates,
  formatHours,
  requireSome,
} from './manifest/index.js';
import { cacheFolder, cacheSize } from './pipeline/feature-cache.js';
import type { PipelineConfig } from './pipeline/task.js';
import { utteranceStream } from './pipeline/utterance-pipeline.js';
import type { DataSection } from './section.js';
import { manifestsOf, sectionEntries } from './section-entries.js';
import { withTrueDurations } from './true-durations.js';
import { describeUnknown } from './unknown-text.js';

/** What a data section is opened with: the section itself and what the model knows. */
export interface OpenSourceOptions extends SpeechLabels {
  /** For messages and metrics: `train_ds`, `validation_ds`. */
  readonly name: string;
  readonly section: DataSection;
  /** Training shuffles (unless told otherwise), augments, and keeps batch sizes when recordings fail. */
  readonly training: boolean;
  /** The run's seed: order, augmentation, dither. */
  readonly seed: number;
  readonly frontEnd: FrontEnd;
  /** Training only. */
  readonly specAugment?: FeatureAugmentation | null | undefined;
  /** Knows waveform augmentations of the user's. Default: those of the library. */
  readonly augmentations?: AugmentationMaker | undefined;
  /** Gets one line at a time. */
  readonly log?: ((line: string) => void) | undefined;
}

/** How many lines unusable recordings may take in the log. */
const LOGGED_FAILURES = 10;

/**
 * Opens one source over all manifests of the section; undefined when it names none.
 * @throws AnemoneError, AnemoneErrors of manifests, filters, tokenizer and front end
 */
export async function openSpeechSource(options: OpenSourceOptions): Promise<SpeechSource | undefined> {
  const files = manifestsOf(options.section);
  return files.length === 0 ? undefined : openManifests(options, files);
}

/**
 * One source a manifest, as evaluation wants them; named after their files when there are several. The manifests of
 * archives are parts of one set.
 */
export async function openEvaluationSources(
  options: Omit<OpenSourceOptions, 'training'>,
): Promise<SpeechSource[]> {
  const files = manifestsOf(options.section);
  if (options.section.is_tarred && files.length > 0) {
    return [await openManifests({ ...options, training: false }, files)];
  }
  const sources: SpeechSource[] = [];
  for (const file of files) {
    const name = files.length === 1 ? options.name : basename(file, extname(file));
    sources.push(await openManifests({ ...options, name, training: false }, [file]));
  }
  return sources;
}

async function openManifests(options: OpenSourceOptions, files: readonly string[]): Promise<SpeechSource> {
  const { section, training, name } = options;
  const log = (line: string) => options.log?.(`${name}: ${line}`);
  checkSampleRate(options);
  const pipeline = await makePipeline(options, log);
  const entries = await sectionEntries(section, files, { name, log, custom: options.custom });
  const report = filterEntries(await withTrueDurations(entries, log), section);
  const droppedText = describeDropped(report);
  if (droppedText) log(droppedText);
  requireSome(report, name);
  const utterances = utterancesOf(report.kept);
  const { encoded, promptTokens, promptIndices } = encodeUtterances(utterances, options);
  const { kept, dropped: byRate } = filterTokenRates(utterances, encoded, section);
  const droppedByRate = describeDropped({ dropped: byRate });
  if (droppedByRate) log(droppedByRate);
  requireSome({ kept, dropped: new Map([...report.dropped, ...byRate]) }, name);
  if (options.unknown) {
    const fatal = section.on_unknown_text === 'fail';
    const warning = describeUnknown(
      kept.map((i) => utterances[i]),
      kept.map((i) => encoded[i]),
      options.unknown,
      { name, fatal, languageOf: options.languageOf },
    );
    if (warning) log(warning);
  }
  const dataset = new SpeechDataset(
    kept.map((i, index) => ({ ...utterances[i], ref: { ...utterances[i].ref, index } })),
    kept.map((i) => encoded[i]),
    options.frontEnd,
    stretchOf(pipeline),
    promptTokens && kept.map((i) => promptTokens[i]),
    promptIndices && kept.map((i) => promptIndices[i]),
  );
  const shuffle = section.shuffle ?? training;
  const source = new SpeechSource({
    name,
    dataset,
    batching: {
      ...section,
      num_buckets: bucketsOf(section, training && !shuffle),
      shuffle,
    } satisfies BatchingConfig,
    pipeline,
    loader: await makeLoader(section),
    positionOf: (key) => positionOf(section, key) ?? positionOf(section),
    padId: options.padId,
    onBad: limitedLog(log),
    log,
  });
  log(`${formatHours(sum(dataset.seconds))} of audio; ${describeEstimate(source.estimate())}`);
  return source;
}

/**
 * lhotse's switch; bounds that are given speak for themselves. Where order matters (`inOrder`), a batch is consecutive
 * lines, as in NeMo, unless some key asks for buckets.
 */
function bucketsOf(section: DataSection, inOrder: boolean): number | null {
  const { use_bucketing, num_buckets, bucket_duration_bins } = section;
  if (use_bucketing === false && bucket_duration_bins === null) return 1;
  return inOrder && !asksForBuckets(section) ? 1 : num_buckets;
}

/** `batch_duration` does, for short utterances are to make larger batches. The strategy has a default in NeMo's YAML. */
function asksForBuckets(section: DataSection): boolean {
  return (
    section.use_bucketing === true ||
    section.num_buckets !== null ||
    section.bucket_duration_bins !== null ||
    section.bucket_batch_size !== null ||
    section.bucketing_batch_size !== null ||
    section.batch_duration !== null ||
    section.bucketing_strategy !== 'synced_randomized'
  );
}

function checkSampleRate({ section, frontEnd, name }: OpenSourceOptions): void {
  const { sample_rate: rate } = frontEnd.config;
  if (section.sample_rate === null || section.sample_rate === rate) return;
  throw new AnemoneError({
    code: 'data.sample-rate',
    path: `${name}.sample_rate`,
    position: positionOf(section, 'sample_rate'),
    message: `is ${section.sample_rate} Hz, but the preprocessor works at ${rate} Hz`,
    hint: 'use one rate for both; recordings of any rate are converted',
  });
}

async function makePipeline(
  options: OpenSourceOptions,
  log: (line: string) => void,
): Promise<PipelineConfig> {
  const { section, training, seed, frontEnd, specAugment, augmentations } = options;
  const { augmentor: augmentorSection } = section;
  const augmentor =
    training && augmentorSection
      ? withPosition(augmentorSection, () => Augmentor.fromConfig(augmentorSection, { make: augmentations }))
      : undefined;
  for (const warning of augmentor?.warnings ?? []) log(warning);
  const pipeline: PipelineConfig = {
    frontEnd,
    channelSelector: section.channel_selector === null ? undefined : plainCopy(section.channel_selector),
    resampler: section.resampler,
    trimSilence: section.trim_silence ?? false,
    augmentor,
    specAugment: specAugment ?? undefined,
    training,
    seed,
    maxSeconds: Math.max(MAX_SECONDS, section.max_duration ?? 0),
  };
  if (section.feature_cache === null) return pipeline;
  const varying = augmentor
    ? 'augmentor changes the waveforms'
    : training && frontEnd instanceof MelFrontEnd && frontEnd.config.nb_augmentation_prob
      ? 'nb_augmentation_prob changes the features'
      : undefined;
  if (varying) {
    log(`feature_cache is not used: ${varying} in every epoch`);
    return pipeline;
  }
  if (!frontEnd.toWorker) {
    log('feature_cache is not used: the front end does not say what it is made of (toWorker)');
    return pipeline;
  }
  return { ...pipeline, cacheFolder: cacheFolder(section.feature_cache, pipeline) };
}

async function makeLoader(section: DataSection): Promise<LoaderConfig> {
  const cores = coresOfRank();
  const workers = Math.min(section.num_workers ?? Math.max(1, Math.floor(cores / 2)), cores);
  const bound = section.feature_cache_gb;
  const cacheBudget =
    section.feature_cache !== null && bound !== null
      ? bound * 2 ** 30 - (await cacheSize(section.feature_cache))
      : undefined;
  return {
    workers,
    prefetchBatches: section.prefetch_factor * Math.max(1, workers),
    prefetchBytes: section.prefetch_mb * 2 ** 20,
    onBadAudio: section.on_bad_audio,
    timeoutSeconds: section.worker_timeout,
    cacheBudget,
  };
}

/** Lets the planner foresee how long an utterance will be after speed perturbation. */
function stretchOf(pipeline: PipelineConfig): ((epoch: number, index: number) => number) | undefined {
  if (!pipeline.augmentor) return undefined;
  const { augmentor } = pipeline;
  if (!augmentor.steps.some(({ augmentation }) => augmentation.stretch)) return undefined;
  const root = new CounterRandom(pipeline.seed);
  return (epoch, index) => augmentor.stretch(utteranceStream(root, epoch, index).derive('augmentor'));
}

function limitedLog(log: (line: string) => void): (bad: { message: string }) => void {
  let seenCount = 0;
  return ({ message }) => {
    seenCount++;
    if (seenCount <= LOGGED_FAILURES) log(`skipped: ${message}`);
    if (seenCount === LOGGED_FAILURES) log('further unusable recordings are counted, not listed');
  };
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, x) => total + x, 0);
}
