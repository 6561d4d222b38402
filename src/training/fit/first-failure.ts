// Failures that must wait: after one, the rest of what belongs to a step still happens, so that what is saved is the state
// of a whole step.

/** Keeps the first of several failures until it may be thrown. */
export class FirstFailure {
  private failure: { readonly error: unknown } | undefined;

  async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.failure ??= { error };
    }
  }

  /** Throws the failure that was put off, if there was one. */
  throw(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure.error;
  }
}
