// Which part of a program is being made right now: what is traced is said to belong to it. It changes nothing but what is
// told of memory.
let current = '';

/** The name of the part that is being made, '' outside of any. */
export function currentPart(): string {
  return current;
}

/** Runs `fn`, whose operations belong to part `name`. */
export function withPart<R>(name: string, fn: () => R): R {
  const outer = current;
  current = name;
  try {
    return fn();
  } finally {
    current = outer;
  }
}
