export { clipByNorm, clipByValue, globalNorm } from './clip.js';
export { type OptimizerRecipe, optimizerComponents, optimizerKind } from './components.js';
export { createOptimizer } from './create-optimizer.js';
export { type GroupSelection, selectGroups } from './groups.js';
export { GroupedOptimizer, type LearningRate, type Optimizer, type ParameterGroup } from './optimizer.js';
export { paramGroupsFormat } from './param-groups.js';
export { type ScheduleRecipe, schedulerComponents, schedulerKind } from './schedules/components.js';
export { createScheduler } from './schedules/create-scheduler.js';
export {
  constantSchedule,
  FunctionSchedule,
  type ScheduleProgress,
  type Scheduler,
} from './schedules/scheduler.js';
export type { Scalars, SlotSpec, Slots, UpdateRule } from './update-rule.js';
