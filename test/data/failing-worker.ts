// A worker that does as told: echo (at once or after a while), throw, hang, or die.
import { serve } from '../../src/data/workers/index.js';
import { AnemoneError } from '../../src/errors/index.js';

serve<{ greeting: string; deaths?: SharedArrayBuffer }, string, string>((data) => async (task) => {
  if (task === 'throw') throw new AnemoneError({ code: 'test.thrown', message: 'as told' });
  if (task === 'bug') throw new TypeError('a bug');
  if (task === 'die') process.exit(7);
  if (task === 'die once' && data.deaths && Atomics.add(new Int32Array(data.deaths), 0, 1) === 0)
    process.exit(7);
  if (task === 'hang') for (;;);
  if (task === 'slow') await new Promise((resolve) => setTimeout(resolve, 1700));
  return { value: `${data.greeting} ${task}` };
});
