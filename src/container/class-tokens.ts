// Tokens of a class's constructor parameters, as tsyringe keeps them.
import 'reflect-metadata';
import { AnemoneError } from '../errors/index.js';
import type { Token } from './component.js';
import { tsyringe } from './tsyringe.js';

/** A class whose parameters all have tokens. */
export type WiredClass<T> = new (...args: unknown[]) => T;

/** Marks a constructor's parameter with the token of what it gets. */
export function inject<T>(token: Token<T>): ParameterDecorator {
  const mark = tsyringe().inject(token.symbol) as ParameterDecorator;
  return (target, key, index) => {
    mark(target, key, index);
    // tsyringe keeps the symbol alone; what stands in for a missing service is kept beside it.
    tokensOf(target).set(index, token);
  };
}

/**
 * Makes a class one that tsyringe builds. Its parameters get the services of `tokens`, in order; without them each must be
 * marked `@inject(token)`.
 * @throws AnemoneError `container.uninjected-parameter`
 */
export function wire<T, P extends readonly unknown[]>(
  type: new (...args: P) => T,
  tokens: readonly Token<unknown>[] = [],
): { readonly wired: WiredClass<T>; readonly needs: readonly Token<unknown>[] } {
  // tsyringe builds it, and hands over what the tokens of its parameters stand for.
  const wired = type as unknown as WiredClass<T>;
  for (const [i, token] of tokens.entries()) inject(token)(wired, undefined, i);
  const marked = injectedTokens(type);
  for (let i = 0; i < type.length; i++) {
    if (marked.has(i)) continue;
    throw new AnemoneError({
      code: 'container.uninjected-parameter',
      message: `parameter ${i + 1} of the constructor of ${type.name} has no @inject(token)`,
      hint: 'give a token for every parameter, or register a factory',
    });
  }
  tsyringe().injectable()(wired);
  return { wired, needs: [...marked.values()] };
}

/** The tokens of a class's constructor parameters, by index; also of those that tsyringe's own `@inject` marked. */
function injectedTokens(type: object): ReadonlyMap<number, Token<unknown>> {
  const marked = (Reflect.getOwnMetadata('injectionTokens', type) ?? {}) as Record<string, unknown>;
  const tokens = new Map<number, Token<unknown>>();
  for (const [index, entry] of Object.entries(marked)) {
    const symbol: unknown =
      typeof entry === 'object' && entry !== null && 'token' in entry ? entry.token : entry;
    if (typeof symbol === 'symbol')
      tokens.set(Number(index), tokensOf(type).get(Number(index)) ?? { symbol });
  }
  return tokens;
}

const keptTokens = new WeakMap<object, Map<number, Token<unknown>>>();

function tokensOf(type: object): Map<number, Token<unknown>> {
  const tokens = keptTokens.get(type) ?? new Map<number, Token<unknown>>();
  keptTokens.set(type, tokens);
  return tokens;
}
