// What an engine is told of how the results of convolutions are read. It changes no number.

let isLast = false;

/** Whether what is traced now is read with its channels last, as it stands in the program. */
export function readsChannelsLast(): boolean {
  return isLast;
}

/**
 * Runs `fn`, whose convolutions are read by operations that take channels last: depthwise convolutions, where the engine has its own, or
 * products of rows. An engine that computes convolutions with the channels first need not do so for those that are as fast otherwise.
 */
export function withChannelsLast<R>(fn: () => R): R {
  const outer = isLast;
  isLast = true;
  try {
    return fn();
  } finally {
    isLast = outer;
  }
}
