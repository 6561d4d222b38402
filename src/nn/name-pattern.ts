// How configs point at parameters: a module's path, or a pattern with `*` over full names.

/**
 * Whether a parameter's name lies in the module `pattern`, or fits it where it has a `*`, which stands for any
 * characters or none. The time is that of finding each part once: patterns may come from a stranger's archive, and a
 * regular expression would try every way to share a name among the stars.
 */
export function namePattern(pattern: string): (name: string) => boolean {
  if (!pattern.includes('*')) return (name) => name === pattern || name.startsWith(`${pattern}.`);
  const [first, ...rest] = pattern.split('*');
  const last = rest[rest.length - 1];
  const middle = rest.slice(0, -1).filter((part) => part !== '');
  return (name) => {
    if (!name.startsWith(first)) return false;
    const end = name.length - last.length;
    // Each part is matched where it first occurs, which leaves the most room for the parts after it.
    let from = first.length;
    for (const part of middle) {
      const at = name.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return from <= end && name.endsWith(last);
  };
}
