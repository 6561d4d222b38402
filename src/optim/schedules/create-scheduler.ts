// From the `optim.sched` section to a schedule.
import { Container } from '../../container/index.js';
import { build } from '../build.js';
import { schedulerComponents, schedulerKind } from './components.js';
import { constantSchedule, type Scheduler } from './scheduler.js';

/**
 * The schedule that `optim.sched` describes.
 * @param config the section, or null for a constant rate; `max_steps` in it wins over `maxSteps`
 * @param maxSteps optimizer steps of the whole run, when known
 * @param container knows the schedules; default: those of this library
 */
export function createScheduler(
  config: Readonly<Record<string, unknown>> | null | undefined,
  maxSteps: number | undefined,
  container: Container = new Container().registerAll(schedulerComponents),
): Scheduler {
  if (!config) return constantSchedule;
  return build(container, config, schedulerKind, 'model.optim.sched')(maxSteps);
}
