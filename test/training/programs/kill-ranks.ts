// Kills ranks of a run at random moments, goes on with as many as chance says, and compares the curve with that of a run that
// nobody disturbed: npx tsx test/training/programs/kill-ranks.ts [KILLS=20]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CounterRandom } from '../../../src/random/index.js';
import { listCheckpoints, readMetricRows } from '../../../src/training/index.js';

const kills = Number(process.argv[2] ?? 20);
const STEPS = 12 * kills;
const program = fileURLToPath(new URL('train-ranks.ts', import.meta.url));
const random = new CounterRandom(Date.now());

/** @param killAfter milliseconds after the first step; undefined: it is left alone */
function train(folder: string, devices: number, killAfter?: number): Promise<number | null> {
  const trainer = {
    accumulate_over: 'all_ranks',
    accumulate_grad_batches: 4,
    devices,
    max_steps: STEPS,
    max_epochs: -1,
    val_check_interval: 40,
    check_val_every_n_epoch: null,
  };
  const delay = killAfter === undefined ? '0' : '0.02';
  const args = ['--import', 'tsx', program, folder, JSON.stringify(trainer), delay];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let isArmed = killAfter !== undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    if (text.includes('error')) process.stdout.write(text);
    if (!isArmed || !text.includes('step ')) return;
    isArmed = false;
    setTimeout(() => {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
        .trim()
        .split(' ');
      const victim = Number(children[random.integer(kills + devices, children.length)]);
      if (victim > 0) process.kill(victim, 'SIGKILL');
    }, killAfter);
  });
  return new Promise((resolve) => child.on('close', resolve));
}

async function losses(folder: string): Promise<Map<number, number>> {
  const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
  const withLoss = rows.filter((row) => typeof row['train/loss'] === 'number');
  return new Map(withLoss.map((row) => [row['step'] as number, row['train/loss'] as number]));
}

const [whole, broken] = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'kill-ranks-')));
await train(whole, 1);
let killed = 0;
for (let k = 0; k < kills; k++) {
  const code = await train(broken, [2, 4][random.integer(2 * k, 2)], random.integer(2 * k + 1, 400));
  if (code !== 0) killed++;
  const { damaged } = await listCheckpoints(join(broken, 'checkpoints'), { verify: true });
  if (damaged.length > 0) throw new Error(`damaged: ${damaged.join('; ')}`);
}
await train(broken, 2);
const [expected, actual] = [await losses(whole), await losses(broken)];
const worst = Math.max(
  ...[...expected].map(([step, loss]) => Math.abs((actual.get(step) ?? Number.NaN) - loss) / loss),
);
process.stdout.write(
  `${killed} of ${kills} runs killed, ${actual.size} of ${expected.size} steps, greatest relative difference of a loss ${worst}\n`,
);
process.exitCode = killed > 0 && actual.size === expected.size && worst < 1e-4 ? 0 : 1;
