// The keys of `train_ds`, `validation_ds` and `test_ds`: NeMo's names, with ours where NeMo has none.
import { BUILTIN_AUGMENTATIONS, RESAMPLERS, readSteps } from '../../audio/index.js';
import {
  type CheckContext,
  type ConfigNode,
  customFormat,
  defineSchema,
  EMPTY_SECTION,
  type Format,
  type InferConfig,
  isMapping,
  type Loaded,
  listOf,
  oneOf,
} from '../../config/index.js';

const optional = { nullable: true, default: null } as const;
const off = [null, false];
/** Keys that say how lhotse's machinery works, and nothing of what a batch is. */
const inside = (instead: string, ...harmless: readonly unknown[]) => ({
  instead,
  harmless: [null, ...harmless],
});
const oneSet = inside('all manifests are one set, each utterance once an epoch', false);
const unchanged = inside('recordings are augmented by augmentor alone', false);

/** Data that would be missing without being missed: refused, whatever else the section says. */
const noSource = (what: string) => ({
  doc: `Not supported: ${what}. Use manifest_filepath.`,
  format: customFormat('nothing', (value) => {
    if (value !== null) throw new Error(`${what} is not read; use manifest_filepath`);
    return null;
  }),
  ...optional,
});
const oneProcess = { instead: 'one process reads all archives', harmless: ['scatter', 'replicate', null] };

/** The steps of an `augmentor`, which are checked here and made where the data is opened. */
const augmentor: Format<ConfigNode, Readonly<Record<string, unknown>> | Loaded> = {
  expected: 'a mapping of augmentations to options',
  accepts: isMapping,
  check: (value, at) => {
    if (!isMapping(value)) {
      at.report({ message: `expected ${augmentor.expected}, got ${JSON.stringify(value)}` });
      return EMPTY_SECTION;
    }
    const knownSteps = Object.fromEntries(Object.entries(value).filter(([, step]) => !isOwnStep(step)));
    for (const { path = '', code, reason: message, hint } of readSteps(knownSteps, { path: '' }).errors) {
      const keys = path.split('.').filter((key) => key !== '');
      below(at, value, keys).report({ code, message, hint });
    }
    return value;
  },
  jsonSchema: () => ({ type: 'object' }),
};

/** One that names a component of the user's, which checks it when it is made. */
function isOwnStep(step: unknown): boolean {
  const target = isMapping(step) ? step['_target_'] : undefined;
  return typeof target === 'string' && !BUILTIN_AUGMENTATIONS.has(target);
}

/** The context of what stands at `keys` within `node`. */
function below(at: CheckContext, node: unknown, [key, ...rest]: readonly string[]): CheckContext {
  if (key === undefined) return at;
  const innerValue = isMapping(node) && key in node ? node[key] : undefined;
  return below(at.child(node, key), innerValue, rest);
}

/** The schema of `train_ds`, `validation_ds` and `test_ds`. */
export const dataSchema = defineSchema(
  'dataset',
  {
    manifest_filepath: {
      doc: 'Manifest, several separated by commas, or a list. In validation_ds and test_ds each is a set of its own.',
      format: oneOf('string', listOf(oneOf('string', listOf('string')))),
      ...optional,
    },
    text_field: { doc: 'Key of the transcript in the manifest.', format: 'string', default: 'text' },
    lang_field: {
      doc: 'Key of the transcript’s language, for multitask models; target_lang where a line lacks it.',
      format: 'string',
      default: 'lang',
    },
    sample_rate: { doc: 'Hz; must be that of the preprocessor.', format: 'int', min: 1, ...optional },
    batch_size: { doc: 'Utterances a batch.', format: 'int', min: 1, ...optional },
    batch_duration: {
      doc: 'Seconds of padded audio a batch, instead of batch_size: short utterances make larger batches.',
      format: 'number',
      above: 0,
      ...optional,
    },
    quadratic_duration: {
      doc: 'Seconds. With batch_duration, an utterance of d seconds counts as d + d²/quadratic_duration.',
      format: 'number',
      above: 0,
      ...optional,
    },
    max_batch_size: { doc: 'Bound of what batch_duration gives.', format: 'int', min: 1, ...optional },
    shuffle: {
      doc: 'A new order each epoch. Default: in training only. With false, training takes consecutive lines, in buckets only where a key of buckets or batch_duration is given.',
      format: 'boolean',
      ...optional,
    },
    drop_last: { doc: 'Leave out a last batch that is not full.', format: 'boolean', default: false },
    num_buckets: {
      doc: 'Length buckets; 1 mixes all lengths. Default: 12, fewer for small sets.',
      format: 'int',
      min: 1,
      ...optional,
    },
    use_bucketing: {
      doc: 'false: as num_buckets 1.',
      format: 'boolean',
      ...optional,
    },
    bucket_duration_bins: {
      doc: 'Seconds, ascending: upper bounds of the buckets. Default: where padding is least.',
      format: listOf('number', { min: 1 }),
      ...optional,
    },
    bucket_batch_size: {
      doc: 'Utterances a batch for each bucket, from short to long.',
      format: listOf('count', { min: 1 }),
      ...optional,
    },
    bucketing_batch_size: {
      doc: 'As bucket_batch_size; or n, meaning n times the number of buckets at and above this one.',
      format: oneOf('count', listOf('count', { min: 1 })),
      ...optional,
    },
    bucketing_strategy: {
      doc: 'fixed_order goes from short to long utterances; the other two mix the batches of all buckets.',
      format: ['synced_randomized', 'fully_randomized', 'fixed_order'],
      default: 'synced_randomized',
    },
    min_duration: { doc: 'Seconds; shorter utterances are left out.', format: 'bound', ...optional },
    max_duration: { doc: 'Seconds; longer utterances are left out.', format: 'bound', ...optional },
    min_text_length: { doc: 'Characters; shorter transcripts are left out.', format: 'nat', ...optional },
    max_text_length: { doc: 'Characters; longer transcripts are left out.', format: 'nat', ...optional },
    min_tps: { doc: 'Tokens a second; slower utterances are left out.', format: 'bound', ...optional },
    max_tps: { doc: 'Tokens a second; faster utterances are left out.', format: 'bound', ...optional },
    max_utts: { doc: 'Use the first so many utterances only; 0 is all.', format: 'nat', ...optional },
    num_workers: {
      doc: 'Worker threads that decode and compute features, at most one a core; 0 uses the main thread. Default: half the cores.',
      format: 'nat',
      ...optional,
    },
    prefetch_factor: { doc: 'Batches made ahead, a worker.', format: 'int', min: 1, default: 2 },
    prefetch_mb: { doc: 'MiB of features made ahead, at most.', format: 'number', above: 0, default: 256 },
    worker_timeout: {
      doc: 'Seconds after which a batch counts as hung.',
      format: 'number',
      above: 0,
      max: 86_400,
      default: 300,
    },
    channel_selector: {
      doc: 'Channel of the recordings (from 0), a list of channels to average, or average.',
      format: oneOf('nat', listOf('nat', { min: 1 }), ['average']),
      ...optional,
    },
    resampler: {
      doc: 'How recordings of another rate become ones of the sample rate: best, or number for number as NeMo by lhotse: scipy, or torchaudio where that is installed.',
      format: RESAMPLERS,
      default: 'best',
    },
    trim_silence: {
      doc: 'Cut what is 60 dB below the loudest off both ends. Durations and their bounds are those of the manifest.',
      format: 'boolean',
      nullable: true,
      default: false,
    },
    on_bad_audio: {
      doc: 'What a recording that cannot be used does: be left out and counted, or end the run.',
      format: ['skip', 'fail'],
      default: 'skip',
    },
    on_unknown_text: {
      doc: 'What transcripts with characters the tokenizer does not know do: be told of in the log, or end the run before it starts.',
      format: ['warn', 'fail'],
      default: 'warn',
    },
    feature_cache: {
      doc: 'Folder where features are kept. Not with waveform augmentation; cached features have no dither.',
      format: 'string',
      ...optional,
    },
    feature_cache_gb: {
      doc: 'GiB the feature cache may take; beyond it nothing is added. Default: no bound.',
      format: 'number',
      above: 0,
      ...optional,
    },
    augmentor: {
      doc: 'Waveform augmentation in training: names to options with prob.',
      format: augmentor,
      ...optional,
    },
    cuts_path: noSource("lhotse's cuts manifest"),
    shar_path: noSource("lhotse's shar format"),
    input_cfg: noSource('a list of weighted inputs'),
    is_tarred: {
      doc: 'The recordings lie in the archives of tarred_audio_filepaths.',
      format: 'boolean',
      default: false,
    },
    tarred_audio_filepaths: {
      doc: 'Archives, with ranges and choices in braces (audio_{0..3}.tar) or between _OP_ and _CL_; or lists of them.',
      format: oneOf('string', listOf(oneOf('string', listOf('string')))),
      ...optional,
    },
  },
  {
    doc: 'A data set and how it is cut into batches.',
    ignored: {
      pin_memory: 'there is no pinned memory',
      labels: { instead: "the model's own labels are used", harmless: off },
      shuffle_n: 'the whole manifest is shuffled',
      shard_strategy: oneProcess,
      tarred_shard_strategy: oneProcess,
      shard_manifests: { instead: 'manifests with braces are expanded', harmless: [true, ...off] },
      skip_missing_manifest_entries: {
        instead: 'recordings without a line are passed over, lines without a recording are counted',
        harmless: [true, ...off],
      },
      use_start_end_token: { instead: 'no start and end tokens are added', harmless: off },
      use_lhotse: { instead: 'batch_duration and the bucket keys work without it', harmless: [true, ...off] },
      bucket_buffer_size: 'the whole manifest is bucketed',
      shuffle_buffer_size: 'the whole manifest is shuffled',
      parser: { instead: 'transcripts are used as they are', harmless: off },
      normalize: { instead: 'transcripts are used as they are', harmless: off },
      normalize_transcripts: { instead: 'transcripts are used as they are', harmless: off },
      index_by_file_id: { instead: 'utterances keep their order', harmless: off },
      persistent_workers: 'workers rest and end by themselves',
      blank_index: inside("the model's own labels are used", -1),
      unk_index: inside("the model's own labels are used", -1),
      int_values: inside('samples are in [-1, 1]', false, true),
      load_audio: inside('recordings are always read', true),
      return_sample_id: inside('utterances are known by their names', false),
      use_dali: inside('worker threads decode', false),
      bucketing_weights: inside('each bucket is gone through once an epoch'),
      use_semi_sorted_batching: inside('batches are of like lengths by their buckets', false),
      randomization_factor: inside('batches are of like lengths by their buckets'),
      tarred_audio_index_filepaths: inside('archives are indexed when they are opened'),
      tarred_random_access: inside('recordings without a line are passed over', false, true),
      is_concat: oneSet,
      concat_shuffle: oneSet,
      concat_sampling_technique: oneSet,
      concat_sampling_temperature: oneSet,
      concat_sampling_scale: oneSet,
      concat_sampling_probabilities: oneSet,
      concat_sampling_seed: oneSet,
      is_code_switched: inside('utterances are not joined', false),
      code_switched: inside('utterances are not joined'),
      seed: inside('trainer.seed decides the order'),
      shard_seed: inside('trainer.seed decides the order', 'trng', 'randomized'),
      num_cuts_for_bins_estimate: inside('the whole manifest is looked at', 10000),
      concurrent_bucketing: inside('the whole manifest is bucketed', true, false),
      bucketing_2d_strict_mode: inside('buckets are of durations alone', true),
      max_open_streams: inside('archives are opened as they are needed'),
      cuda_expandable_segments: inside('memory is managed by the engine', true, false),
      force_finite: inside('every epoch ends', true, false),
      force_map_dataset: inside('there is one kind of data set', true, false),
      force_iterable_dataset: inside('there is one kind of data set', true, false),
      metadata_only: inside('recordings are always read', false),
      multi_config: inside('all manifests are one set', false),
      sampler_fusion: inside('all manifests are one set', 'round_robin'),
      sampler_weights: inside('all manifests are one set'),
      pretokenize: inside('transcripts are always encoded first', true, false),
      noise_path: unchanged,
      noise_snr: unchanged,
      noise_mix_prob: unchanged,
      perturb_speed: unchanged,
      rir_enabled: unchanged,
      rir_path: unchanged,
      rir_prob: unchanged,
      concatenate_samples: inside('utterances are not joined', false),
      concatenate_gap_seconds: inside('utterances are not joined', 0.1),
      concatenate_duration_factor: inside('utterances are not joined', 1),
      concatenate_merge_supervisions: inside('utterances are not joined', true),
      truncate_duration: inside('utterances are used whole'),
      truncate_offset_type: inside('utterances are used whole', 'random', 'start', 'end'),
      cut_into_windows_duration: inside('utterances are used whole'),
      cut_into_windows_hop: inside('utterances are used whole'),
      pad_min_duration: inside('utterances are padded to their bucket'),
      pad_direction: inside('utterances are padded on the right', 'right'),
      batch_tokens: inside('batch_duration bounds batches'),
      quadratic_factor: inside('see quadratic_duration'),
      token_equivalent_duration: inside('batch_duration bounds batches'),
      prompt_field: {
        instead: 'lang_field, target_lang or lang of a line is its prompt',
        harmless: ['target_lang', 'lang', 'language'],
      },
      prompt_dictionary: 'model.model_defaults says it',
      num_prompts: 'model.model_defaults says it',
      initialize_prompt_feature: 'model.model_defaults says it',
      default_lang: 'each line says its language',
      subsampling_factor: 'the encoder says it',
      window_stride: 'the preprocessor says it',
      use_multimodal_sampling: inside('batch_duration bounds batches', false),
    },
    refine: (c, report) => {
      const sized = c.batch_size ?? c.batch_duration ?? c.bucket_batch_size ?? c.bucketing_batch_size;
      if (sized === null) report('batch_size', 'give batch_size or batch_duration');
      if (c.is_tarred && c.tarred_audio_filepaths === null) {
        report('tarred_audio_filepaths', 'is needed with is_tarred', 'name the archives');
      }
      for (const [low, high] of [
        ['min_duration', 'max_duration'],
        ['min_text_length', 'max_text_length'],
        ['min_tps', 'max_tps'],
      ] as const) {
        const lowest = c[low] ?? 0;
        const highest = c[high];
        if (highest === null || lowest <= highest) continue;
        if (c[low] === null) report(high, `${highest} is below ${lowest}, so nothing would be left`);
        else report(low, `${lowest} is above ${high}`);
      }
      const bins = c.bucket_duration_bins ?? [];
      if (bins.some((bin, i) => bin <= (i === 0 ? 0 : bins[i - 1]))) {
        report('bucket_duration_bins', 'must be positive and ascending');
      }
    },
  },
);

/** A checked data section. */
export type DataSection = InferConfig<typeof dataSchema>;

/** An older name of {@link dataSchema}. @deprecated Use `dataSchema`. */
export const dataSection = dataSchema;
