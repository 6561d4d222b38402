// Bricks that worker threads can have a copy of. A class does not survive the way to a thread, so a brick says how it is
// made anew there: by which function of which module, from which plain data.

/** How a worker thread makes a copy of a brick: by which function of which module, from which plain data. */
export interface WorkerRecipe {
  /** Where the function is exported: `import.meta.url` of that module. What the library makes itself its folder's index exports, too. */
  readonly module: string;
  /** The function's name. */
  readonly make: string;
  /** Its argument: what `structuredClone` can copy. */
  readonly from: unknown;
}

/** A brick that worker threads may have copies of. */
export interface Portable {
  /** How a worker thread makes a copy. A brick without it works in the main thread. */
  toWorker?(): WorkerRecipe;
}

/** How a worker makes the brick; undefined where it cannot. */
export function recipeOf(brick: Portable): WorkerRecipe | undefined {
  const recipe = brick.toWorker?.();
  return recipe && canLoad(recipe.module) ? recipe : undefined;
}

/** A compiled library starts plain workers, which read TypeScript only where Node does. */
function canLoad(module: string): boolean {
  const isSource = (url: string) => /\.[cm]?ts$/.test(new URL(url).pathname);
  return (
    !isSource(module) || isSource(import.meta.url) || Boolean(Reflect.get(process.features, 'typescript'))
  );
}

/** The brick of a recipe. */
export async function madeOf<T>({ module, make, from }: WorkerRecipe): Promise<T> {
  const { [make]: create } = (await import(module)) as Record<string, (from: unknown) => T>;
  if (typeof create !== 'function') throw new Error(`${module} exports no function ${make}`);
  return create(from);
}

/** A config as plain data, which can be sent to a worker. */
export function plainCopy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
