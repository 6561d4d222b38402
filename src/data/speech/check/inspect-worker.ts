// Entry point of the checker's worker threads.
import { serve } from '../../workers/index.js';
import { type Inspection, type InspectTask, inspect } from './inspect.js';

serve<undefined, InspectTask, Inspection[]>(() => async (task) => ({ value: await inspect(task) }));
