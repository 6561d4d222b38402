// The names of what a run logs: a group, a slash, a name. docs/training.md has the table. Names of before, which NeMo's
// configs use for monitors (`val_loss`), are understood wherever a metric is looked up.

/** Values by name, such as `train/loss`, `val/wer`, `system/rss_mb`. */
export type Metrics = Readonly<Record<string, number>>;

/** Names of before that are not a group, an underscore and the name. */
const RENAMED: Readonly<Record<string, string>> = {
  learning_rate: 'train/learning_rate',
  lr: 'train/learning_rate',
  grad_norm: 'train/grad_norm',
  epoch: 'train/epoch',
  skipped_steps: 'train/skipped_steps',
  empty_batches: 'train/empty_batches',
  examples_per_second: 'train/examples_per_second',
  units_per_second: 'train/units_per_second',
  compilations: 'engine/compilations',
  compile_seconds: 'engine/compile_seconds',
  rss_mb: 'system/rss_mb',
  validation_seconds: 'val/seconds',
  'train_step_timing in s': 'train/step_seconds',
  'train_data_wait in s': 'train/step_wait_seconds',
  'validation_timing in s': 'val/seconds',
};

/** `val_wer` is `val/wer`; a name that is of neither kind stays as it is. */
export function metricName(name: string): string {
  if (Object.hasOwn(RENAMED, name)) return RENAMED[name];
  return snakeCase(name.replace(/^(train|val|test|predict|data)_/, '$1/'));
}

/** The value of a metric, under its name or one of before. */
export function metricOf<V extends number | null>(
  metrics: Readonly<Record<string, V>>,
  name: string,
): V | undefined {
  if (Object.hasOwn(metrics, name)) return metrics[name];
  const currentName = metricName(name);
  if (Object.hasOwn(metrics, currentName)) return metrics[currentName];
  // What a checkpoint or log of before holds.
  const before = Object.keys(metrics).find((key) => metricName(key) === currentName);
  return before === undefined ? undefined : metrics[before];
}

/** Values under names of a group. */
export function grouped(group: string, values: Metrics): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${group}/${snakeCase(name)}`, value]),
  );
}

function snakeCase(name: string): string {
  return name.replace(
    /([a-z])([A-Z])/g,
    (_, before: string, capital: string) => `${before}_${capital.toLowerCase()}`,
  );
}
