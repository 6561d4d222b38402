// How configs point at parameters: a module's path, or a pattern with `*` over full names.

/** Whether a parameter's name lies in the module `pattern`, or fits it where it has a `*`. */
export function namePattern(pattern: string): (name: string) => boolean {
  if (!pattern.includes('*')) return (name) => name === pattern || name.startsWith(`${pattern}.`);
  const literal = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${literal.join('.*')}$`);
  return (name) => expression.test(name);
}
