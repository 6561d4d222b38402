// The `exp_manager` section: NeMo's keys with their defaults, and a few of ours.
import {
  componentConfig,
  customFormat,
  defineSchema,
  type InferConfig,
  listOf,
  plainName,
  type SectionInput,
} from '../config/index.js';
import { type Duration, parseDuration } from './trainer-options.js';

const duration = () =>
  customFormat<number, Duration>('a time such as 00:04:00:00', parseDuration, { type: ['string', 'object'] });
const once = (instead: string, ...harmless: readonly unknown[]) => ({
  instead,
  harmless: [null, ...harmless],
});

export const checkpointSchema = defineSchema(
  'checkpoint_callback_params',
  {
    monitor: { doc: 'Metric that ranks checkpoints.', format: 'string', default: 'val_loss' },
    mode: { doc: 'Whether less or more of it is better.', format: ['min', 'max'], default: 'min' },
    save_top_k: { doc: 'Best checkpoints that are kept; -1 keeps all.', format: 'int', min: -1, default: 3 },
    save_last: { doc: 'Keep the newest one too.', format: 'boolean', default: true },
    every_n_epochs: {
      doc: 'Epochs between checkpoints of a run that does not validate.',
      format: 'int',
      min: 1,
      default: 1,
    },
    every_n_train_steps: {
      doc: 'Also save every so many steps.',
      format: 'int',
      min: 1,
      nullable: true,
      default: null,
    },
    train_time_interval: {
      doc: 'Also save after so much time.',
      format: duration(),
      nullable: true,
      default: null,
    },
    dirpath: {
      doc: 'Folder of the checkpoints; null is checkpoints/ in the run.',
      format: 'string',
      nullable: true,
      default: null,
    },
    prefix: {
      doc: 'Start of their names; null is the experiment name.',
      format: plainName(),
      nullable: true,
      default: null,
    },
    save_nemo_on_train_end: {
      doc: 'At the end also write the model as one file that NeMo restores, NAME.nemo.',
      format: 'boolean',
      default: true,
    },
    always_save_nemo: {
      doc: 'Write that file after every checkpoint.',
      format: 'boolean',
      default: false,
    },
    save_best_model: {
      doc: 'Write the best checkpoint into it instead of the last one.',
      format: 'boolean',
      default: false,
    },
    postfix: { doc: 'End of its name.', format: plainName({ isEnd: true }), default: '.nemo' },
  },
  {
    doc: 'When checkpoints are saved and which are kept.',
    ignored: {
      filename: once('names are NAME--METRIC=VALUE-epoch=E-step=S.ckpt'),
      model_parallel_size: once('there is one process', 1),
      save_weights_only: once('the optimizer is always saved', false),
      save_on_train_epoch_end: once('they are saved after validations', false),
      auto_insert_metric_name: once('names are fixed', true, false),
      async_save: once('saving is synchronous', false),
      save_last_n_optim_states: once('the optimizer is always saved', -1),
      verbose: once('every save is in the log', true, false),
    },
  },
);

export const earlyStoppingSchema = defineSchema(
  'early_stopping_callback_params',
  {
    monitor: { doc: 'Metric that must improve.', format: 'string', default: 'val_loss' },
    mode: { doc: 'Whether less or more of it is better.', format: ['min', 'max'], default: 'min' },
    min_delta: { doc: 'Improvement that counts.', format: 'number', min: 0, default: 0.001 },
    patience: { doc: 'Validations without improvement.', format: 'nat', default: 10 },
    check_finite: { doc: 'Stop when it is not finite.', format: 'boolean', default: true },
    stopping_threshold: { doc: 'Stop when it is better.', format: 'bound', nullable: true, default: null },
    divergence_threshold: { doc: 'Stop when it is worse.', format: 'bound', nullable: true, default: null },
  },
  {
    doc: 'When a run that no longer improves ends.',
    ignored: {
      verbose: once('the reason is always said', true, false),
      strict: once('an unknown metric is an error', true, false),
      check_on_train_epoch_end: once('it looks at validations', false),
      log_rank_zero_only: once('there is one process', true, false),
    },
  },
);

/** Keys of an average of the weights. */
export const emaFields = {
  decay: { doc: 'Share of the old average that stays.', format: 'number', min: 0, max: 1, default: 0.999 },
  every_n_steps: { doc: 'Steps between updates.', format: 'int', min: 1, default: 1 },
  validate_original_weights: {
    doc: 'Validate the weights themselves instead of their average.',
    format: 'boolean',
    default: false,
  },
} as const;

export const emaSchema = defineSchema(
  'ema',
  {
    enable: { doc: 'Keep an average of the weights.', format: 'boolean', default: false },
    ...emaFields,
  },
  {
    doc: 'Exponential moving average of the weights, used for validation and inference.',
    ignored: { cpu_offload: once('states live where the engine keeps them', false) },
  },
);

/** Its other keys are for a timer that synchronises devices. */
const stepTimingSchema = defineSchema(
  'step_timing_kwargs',
  { buffer_size: { doc: 'Steps the mean is taken over.', format: 'int', min: 1, default: 1 } },
  { doc: 'Of the time of steps.', extra: 'any' },
);

const wandb = once('loggers are TensorBoard, CSV and JSON lines', false);

/** The schema of the `exp_manager` section. */
export const expManagerSchema = defineSchema(
  'exp_manager',
  {
    exp_dir: {
      doc: 'Folder of all experiments; null is anemone_experiments.',
      format: 'string',
      nullable: true,
      default: null,
    },
    name: {
      doc: 'Name of the experiment, a folder in exp_dir; null is default.',
      format: plainName(),
      nullable: true,
      default: null,
    },
    version: {
      doc: 'Folder of this run in the experiment; null is the time, or none with resume_if_exists.',
      format: plainName(),
      nullable: true,
      default: null,
    },
    use_datetime_version: {
      doc: 'Name runs by time; false numbers them version_0, version_1, ….',
      format: 'boolean',
      default: true,
    },
    explicit_log_dir: {
      doc: 'The folder of this run, instead of exp_dir/name/version.',
      format: 'string',
      nullable: true,
      default: null,
    },
    resume_if_exists: {
      doc: 'Go on from the newest checkpoint of the folder.',
      format: 'boolean',
      default: false,
    },
    resume_ignore_no_checkpoint: {
      doc: 'With resume_if_exists: start anew when there is no checkpoint, instead of an error.',
      format: 'boolean',
      default: false,
    },
    resume_from_checkpoint: {
      doc: 'A checkpoint to go on from.',
      format: 'string',
      nullable: true,
      default: null,
    },
    loggers: {
      doc: 'Further loggers, each by its `_target_`; see trainer.callbacks.',
      format: listOf(componentConfig('logger', { given: ['folder'] })),
      nullable: true,
      default: null,
    },
    create_tensorboard_logger: { doc: 'Write TensorBoard events.', format: 'boolean', default: true },
    create_csv_logger: { doc: 'Write metrics.csv.', format: 'boolean', default: false },
    create_jsonl_logger: {
      doc: 'Write metrics.jsonl, from which the report is made.',
      format: 'boolean',
      default: true,
    },
    create_report: {
      doc: 'Write report.html after validations and at the end.',
      format: 'boolean',
      default: true,
    },
    create_checkpoint_callback: { doc: 'Save checkpoints.', format: 'boolean', default: true },
    checkpoint_callback_params: {
      doc: 'Which and when.',
      format: checkpointSchema,
      nullable: true,
      default: null,
    },
    create_early_stopping_callback: {
      doc: 'End a run that no longer improves.',
      format: 'boolean',
      default: false,
    },
    early_stopping_callback_params: {
      doc: 'By which metric.',
      format: earlyStoppingSchema,
      nullable: true,
      default: null,
    },
    ema: { doc: 'Average of the weights.', format: emaSchema, nullable: true, default: null },
    log_step_timing: { doc: 'Log the time of steps and validations.', format: 'boolean', default: true },
    step_timing_kwargs: {
      doc: 'buffer_size: steps the mean is taken over.',
      format: stepTimingSchema,
      nullable: true,
      default: null,
    },
    max_time_per_run: {
      doc: 'Save and stop after so much time, counted anew at each start.',
      format: duration(),
      nullable: true,
      default: null,
    },
    files_to_copy: {
      doc: 'Files to keep with the run.',
      format: listOf('string'),
      nullable: true,
      default: null,
    },
  },
  {
    doc: 'Where a run writes, what it logs and keeps, and how it resumes.',
    ignored: {
      create_wandb_logger: wandb,
      wandb_logger_kwargs: once(
        'loggers are TensorBoard, CSV and JSON lines',
        {},
        { name: null, project: null },
      ),
      create_mlflow_logger: wandb,
      mlflow_logger_kwargs: wandb,
      create_dllogger_logger: wandb,
      dllogger_logger_kwargs: wandb,
      create_clearml_logger: wandb,
      clearml_logger_kwargs: wandb,
      create_neptune_logger: wandb,
      neptune_logger_kwargs: wandb,
      summary_writer_kwargs: once('the TensorBoard writer has no options', {}),
      create_preemption_callback: once('SIGTERM always saves and stops', true, false),
      resume_past_end: once('a finished run that is resumed ends at once', false),
      disable_validation_on_resume: once('a validation is repeated only if it was cut off', true, false),
      create_straggler_detection_callback: once('there is one process', false),
      create_fault_tolerance_callback: once('resume_if_exists resumes', false),
      log_delta_step_timing: once('see log_step_timing', false),
      log_tflops_per_sec_per_gpu: once('throughput is in the log', true, false),
      log_local_rank_0_only: once('there is one process', true, false),
      log_global_rank_0_only: once('there is one process', true, false),
      seconds_to_sleep: once('nothing waits', 5),
      model_parallel_size: once('there is one process', 1),
    },
  },
);

/** What `expManager` takes: the `exp_manager` section of a loaded config, or its keys. */
export type ExpManagerSection = SectionInput<typeof expManagerSchema>;

/** A checked `exp_manager` section. */
export type ExpManagerOptions = InferConfig<typeof expManagerSchema>;
