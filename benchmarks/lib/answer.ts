// The child's side of contestant.ts: does the work at each "run" line.
import { createInterface } from 'node:readline';

export async function serve(
  ready: object,
  work: () => Promise<{ loss?: number; texts?: readonly (readonly number[])[] }>,
): Promise<void> {
  process.stdout.write(`${JSON.stringify({ ready: true, ...ready })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'run') break;
    const start = performance.now();
    const cpu = process.cpuUsage();
    const result = await work();
    const spent = process.cpuUsage(cpu);
    const answer = {
      seconds: (performance.now() - start) / 1000,
      cpu: (spent.user + spent.system) / 1e6,
      rssMb: process.resourceUsage().maxRSS / 1024,
      ...result,
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
