// A value of a file of others with the place where it stands, asked for by the type that it must have.
import { AnemoneError } from '../../errors/index.js';

/** A value and its path from the top of the file, for messages. */
export class JsonNode {
  constructor(
    readonly value: unknown,
    private readonly file: string,
    private readonly path = '',
  ) {}

  /** Whether the key is not written, or null. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  field(key: string): JsonNode {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.wrong('expected a mapping');
    const own = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return new JsonNode(own, this.file, this.path === '' ? key : `${this.path}.${key}`);
  }

  text(fallback?: string): string {
    if (this.isAbsent && fallback !== undefined) return fallback;
    if (typeof this.value === 'string') return this.value;
    throw this.wrong('expected a text');
  }

  optionalText(): string | undefined {
    return this.isAbsent ? undefined : this.text();
  }

  flag(fallback: boolean): boolean {
    if (this.isAbsent) return fallback;
    if (typeof this.value === 'boolean') return this.value;
    throw this.wrong('expected true or false');
  }

  /** A whole number that is not negative. */
  count(fallback?: number): number {
    if (this.isAbsent && fallback !== undefined) return fallback;
    if (Number.isSafeInteger(this.value) && (this.value as number) >= 0) return this.value as number;
    throw this.wrong('expected a whole number');
  }

  number(): number {
    if (typeof this.value === 'number') return this.value;
    throw this.wrong('expected a number');
  }

  /** The entries of a list; nothing written is an empty one. */
  items(): JsonNode[] {
    if (this.isAbsent) return [];
    if (Array.isArray(this.value))
      return this.value.map((item, i) => new JsonNode(item, this.file, `${this.path}[${i}]`));
    throw this.wrong('expected a list');
  }

  /** A mapping; nothing written is an empty one. Only its own keys count. */
  mapping(): Readonly<Record<string, unknown>> {
    if (this.isAbsent) return {};
    if (typeof this.value === 'object' && !Array.isArray(this.value))
      return this.value as Readonly<Record<string, unknown>>;
    throw this.wrong('expected a mapping');
  }

  wrong(message: string): AnemoneError {
    return new AnemoneError({ code: 'tokenizer.damaged', position: { file: this.file }, path: this.path || undefined, message }); // biome-ignore format: one line
  }

  /** For what such a file may hold and is not read here. */
  unsupported(what: string, known: readonly string[]): AnemoneError {
    return new AnemoneError({
      code: 'tokenizer.unsupported',
      position: { file: this.file },
      path: this.path || undefined,
      message: `${what} is not supported`,
      hint: `supported are ${known.join(', ')}`,
    });
  }
}
