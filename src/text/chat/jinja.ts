// The parts of @huggingface/jinja that are used here, with their types: those that the package declares are not found by
// TypeScript's resolution of ES modules.
import * as library from '@huggingface/jinja';

/** A program as it was parsed. */
export interface JinjaProgram {
  readonly type: 'Program';
}

/** Names and their values. */
export interface JinjaEnvironment {
  set(name: string, value: unknown): unknown;
}

/** Goes through a program; each node of it goes through `evaluate`. */
export interface JinjaInterpreter {
  run(program: JinjaProgram): { readonly value: unknown };
  evaluate(node: unknown, environment: JinjaEnvironment): { readonly value: unknown };
}

interface Library {
  readonly Environment: new () => JinjaEnvironment;
  readonly Interpreter: new (environment: JinjaEnvironment) => JinjaInterpreter;
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown;
  readonly parse: (tokens: unknown) => JinjaProgram;
}

export const { Environment, Interpreter, tokenize, parse } = library as unknown as Library;
