// A memory plan in words.
import { type ModuleMemory, memoryByModule } from './memory-modules.js';
import { type MemoryPlan, wantedBytes } from './memory-plan.js';

/** `1.2 GiB`, `340 MiB`. */
export function spokenBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** What the largest batch takes, in one sentence without a full stop. */
export function planSentence(plan: MemoryPlan): string {
  const wanted = spokenBytes(wantedBytes(plan));
  return `a step of the largest batch (${plan.batch}) takes about ${wanted}, ${freeText(plan)}`;
}

/** `12 GiB are free` and of what. */
export function freeText({ free }: MemoryPlan): string {
  return `${spokenBytes(free.bytes)} are free ${free.of}`;
}

/** Modules that are told one by one. */
const SHOWN = 8;
const SHOWN_PARTS = 4;

/** Lines of a table: what takes memory, the sum, and what of it is there already. */
export function planTable(plan: MemoryPlan): readonly string[] {
  const rows = [
    ...plan.items.map(({ name, bytes }) => [name, spokenBytes(bytes)]),
    ['in all, at most', spokenBytes(plan.totalBytes)],
    ['of which the process has already', spokenBytes(plan.takenBytes)],
  ];
  return aligned(rows);
}

/** What is alive when the step takes the most, module by module. */
export function moduleTable({ alive }: Pick<MemoryPlan, 'alive'>): readonly string[] {
  const modules = memoryByModule(alive);
  const rest = modules.slice(SHOWN);
  const rows = modules
    .slice(0, SHOWN)
    .map((module) => [nameOf(module), spokenBytes(module.bytes), partsOf(module)]);
  const restBytes = rest.reduce((sum, { bytes }) => sum + bytes, 0);
  if (rest.length > 0) rows.push([`${rest.length} more`, spokenBytes(restBytes), '']);
  return aligned(rows);
}

function nameOf({ path, count }: ModuleMemory): string {
  const name = path === '' ? '(loss and between modules)' : path;
  return count > 1 ? `${name} (${count})` : name;
}

function partsOf({ parts }: ModuleMemory): string {
  return parts
    .slice(0, SHOWN_PARTS)
    .map(({ name, bytes }) => `${name} ${spokenBytes(bytes)}`)
    .join(', ');
}

/** Columns: the first to the left, the second to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (column: number) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0));
  const [names, sizes] = [width(0), width(1)];
  return rows.map(([name, size = '', more = '']) =>
    `  ${name.padEnd(names)}  ${size.padStart(sizes)}  ${more}`.trimEnd(),
  );
}
