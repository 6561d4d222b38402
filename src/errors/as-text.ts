/**
 * Any value of a config or of JSON as text; mappings and lists as JSON. `String` throws for the mappings of a config, which
 * have no prototype, and for objects of JSON that bring a `toString` of their own.
 */
export function asText(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
