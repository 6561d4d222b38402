// What a pickle's values become here. Nothing of a pickle is ever called: what it wants to call is either one
// of the few functions its reader offers, which build plain data, or an inert record of the wish.

/** A name that a pickle refers to. `call` is ours, and only on names its reader knows. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
    readonly call?: (args: readonly PickleValue[]) => PickleValue,
  ) {}

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class nobody here knows, with what the pickle would have made it of. */
export class PickleObject {
  state: PickleValue = null;
  readonly items: PickleValue[] = [];

  constructor(
    readonly type: PickleValue,
    readonly args: readonly PickleValue[],
  ) {}
}

/** A tuple: dictionaries of Python may have it as key. Lists are arrays. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** What a persistent id stands for; its reader makes it. */
export abstract class PickleExternal {
  abstract readonly external: string;
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleGlobal
  | PickleObject
  | PickleExternal;

/** The items of a tuple or list; undefined for anything else. */
export function sequenceOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  if (value instanceof PickleTuple) return value.items;
  return Array.isArray(value) ? value : undefined;
}
