// "Did you mean": the known name closest to a mistyped one.

/** What is longer, or one of more, is no name that somebody mistyped, and comparing takes its time. */
const MAX_LENGTH = 100;
const MAX_CANDIDATES = 2000;

/** The candidates within a small edit distance of `name`, nearest first. */
export function nearestNames(name: string, candidates: Iterable<string>, limit = 3): string[] {
  // A short name must share at least one letter, or anything would be near it.
  const budget = Math.min(Math.max(2, Math.floor(name.length / 3)), name.length - 1);
  const names = [...candidates];
  if (name.length > MAX_LENGTH || names.length > MAX_CANDIDATES) return [];
  return names
    .filter((candidate) => Math.abs(candidate.length - name.length) <= budget)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= budget)
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** `did you mean "a" or "b"?`, or undefined when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const nearNames = nearestNames(name, candidates);
  return nearNames.length === 0 ? undefined : `did you mean ${nearNames.map((n) => `"${n}"`).join(' or ')}?`;
}

/** Levenshtein distance over UTF-16 units, two rows. */
export function editDistance(a: string, b: string): number {
  let previousRow = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const currentRow = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previousRow[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      currentRow[j] = Math.min(previousRow[j] + 1, currentRow[j - 1] + 1, substitution);
    }
    previousRow = currentRow;
  }
  return previousRow[b.length];
}
