// Where ONNX Runtime ran the nodes of a session: read from its profile of the first run, which names the
// provider of each node. A provider that lacks an operator leaves it to the CPU without a word, and every
// such node costs two copies between device and host.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customFormat, EMPTY_SECTION, isMapping, listOf, parseJson } from '../../config/index.js';
import { readRegularFileSync } from '../../formats/index.js';

/** Counts of executed nodes: device name (`cpu`, `webgpu`, …) → operator → nodes. */
export type Placement = Record<string, Record<string, number>>;

interface ProfileEvent {
  readonly cat: string | undefined;
  readonly name: string | undefined;
  readonly args: { readonly provider: string | undefined; readonly op_name: string | undefined };
}

/** A folder for one session's profile; `take` reads and removes it. */
export class PlacementProbe {
  private readonly folder = mkdtempSync(join(tmpdir(), 'anemone-placement-'));
  readonly prefix = join(this.folder, 'profile');

  /** Call after the profile was written (session.endProfiling). */
  take(): Placement {
    try {
      const files = readdirSync(this.folder);
      const events = files.flatMap((file) => parseEvents(join(this.folder, file)));
      return countNodes(events);
    } finally {
      this.discard();
    }
  }

  discard(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One line for people: which operators were left to the CPU, most frequent first; undefined if none was. */
export function describeFallback(placement: Placement): string | undefined {
  const onCpu = Object.entries(placement['cpu'] ?? {}).sort((a, b) => b[1] - a[1]);
  if (onCpu.length === 0) return undefined;
  const all = Object.values(placement).flatMap((ops) => Object.values(ops));
  const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
  const names = onCpu.map(([op, count]) => `${op} ${count}`).join(', ');
  return `${sum(onCpu.map(([, count]) => count))} of ${sum(all)} nodes ran on the CPU: ${names}`;
}

/** Adds the counts of `more` to `total`. */
export function mergePlacement(total: Placement, more: Placement): void {
  for (const [device, ops] of Object.entries(more)) {
    total[device] ??= {};
    for (const [op, count] of Object.entries(ops)) total[device][op] = (total[device][op] ?? 0) + count;
  }
}

function parseEvents(file: string): readonly ProfileEvent[] {
  const bytes = readRegularFileSync(file, { maxBytes: 2 ** 29 });
  const event = customFormat<ProfileEvent>('an event', (value) => {
    if (!isMapping(value)) throw new Error();
    const text = (text: unknown) => (typeof text === 'string' ? text : undefined);
    const args = isMapping(value['args']) ? value['args'] : EMPTY_SECTION;
    const { provider, op_name } = args;
    return {
      cat: text(value['cat']),
      name: text(value['name']),
      args: { provider: text(provider), op_name: text(op_name) },
    };
  });
  return parseJson(bytes, listOf(event), { code: 'engine.profile', position: { file }, what: 'the profile' });
}

/** A node in a loop body has an event for every turn of the loop; it counts once. */
function countNodes(events: readonly ProfileEvent[]): Placement {
  const placement: Placement = {};
  const seen = new Set<string>();
  for (const { cat, name, args } of events) {
    if (cat !== 'Node' || !args?.provider || !args.op_name || !name?.endsWith('_kernel_time')) continue;
    const key = `${args.provider} ${name}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const device = deviceName(args.provider);
    placement[device] ??= {};
    placement[device][args.op_name] = (placement[device][args.op_name] ?? 0) + 1;
  }
  return placement;
}

/** `WebGpuExecutionProvider` → `webgpu`. */
function deviceName(provider: string): string {
  return provider.replace(/ExecutionProvider$/, '').toLowerCase();
}
