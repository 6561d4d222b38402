// From the `optim.sched` section to a schedule.
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { completeOptions } from '../options.js';
import { type ScheduleEntry, scheduleCatalog } from './catalog.js';
import { PlateauScheduler } from './plateau.js';
import { constantSchedule, FunctionSchedule, type Scheduler } from './scheduler.js';

/** Keys that NeMo's configs carry and that say nothing about the curve. */
const STRUCTURE = new Set([
  'name',
  '_target_',
  'args',
  'max_steps',
  'interval',
  'monitor',
  'reduce_on_plateau',
  'last_epoch',
  'iters_per_batch',
  't_max_epochs',
  't_accumulate_grad_batches',
  't_limit_train_batches',
  't_num_workers',
]);

const plateauDefaults = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  threshold_mode: 'rel',
  cooldown: 0,
  min_lr: 0,
  eps: 1e-8,
};

/**
 * @param config `optim.sched`, or null for a constant rate. `max_steps` in it wins over `maxSteps`.
 * @param maxSteps optimizer steps of the whole run, when known.
 */
export function createScheduler(
  config: Readonly<Record<string, unknown>> | null | undefined,
  maxSteps: number | undefined,
): Scheduler {
  if (!config) return constantSchedule;
  const name = String(config['name'] ?? config['_target_'] ?? '').replace(/^.*\./, '');
  const settings = Object.fromEntries(Object.entries(config).filter(([key]) => !STRUCTURE.has(key)));
  if (name === 'ReduceLROnPlateau') {
    const monitor = String(config['monitor'] ?? 'val_loss');
    return new PlateauScheduler(monitor, completeOptions('optim.sched', settings, plateauDefaults));
  }
  const entry = scheduleEntry(name);
  const last = typeof config['max_steps'] === 'number' ? config['max_steps'] : maxSteps;
  if (entry.needsMaxSteps && last === undefined) throw unknownLength(name);
  const options = completeOptions('optim.sched', settings, entry.defaults);
  return new FunctionSchedule(name, entry.rate(options, last ?? 0), intervalOf(config, entry));
}

function intervalOf(config: Readonly<Record<string, unknown>>, entry: ScheduleEntry): 'step' | 'epoch' {
  const interval = config['interval'];
  if (interval === undefined || interval === null) return entry.interval;
  if (interval === 'step' || interval === 'epoch') return interval;
  throw new AnemoneError({
    code: 'config.wrong-type',
    path: 'optim.sched.interval',
    message: `expected "step" or "epoch", got ${JSON.stringify(interval)}`,
  });
}

function scheduleEntry(name: string): ScheduleEntry {
  const entries = new Map<string, ScheduleEntry>(Object.entries(scheduleCatalog));
  const entry = entries.get(name);
  if (entry) return entry;
  const names = [...entries.keys(), 'ReduceLROnPlateau'];
  throw new AnemoneError({
    code: 'optim.unknown-schedule',
    path: 'optim.sched.name',
    message: `there is no schedule "${name}"`,
    hint: didYouMean(name, names) ?? `known: ${names.join(', ')}`,
  });
}

function unknownLength(name: string): AnemoneError {
  return new AnemoneError({
    code: 'optim.schedule',
    path: 'optim.sched.max_steps',
    message: `${name} needs to know the last step`,
    hint: 'set trainer.max_steps or trainer.max_epochs',
  });
}
