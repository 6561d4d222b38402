// Runs Jinja of strangers: counts what it does, and refuses to grow without bound.
import { Interpreter, type JinjaEnvironment } from './jinja.js';

const MOST_TEXT = 2 ** 24;
const MOST_STEPS = 5e6;
/** Of a list. */
export const MOST_ITEMS = 2 ** 20;

interface JinjaValue {
  readonly value: unknown;
}

/** A node of a program, as far as it is looked at here. */
interface JinjaNode {
  readonly type: string;
  readonly callee?: {
    readonly type: string;
    readonly object: unknown;
    readonly property: { readonly value?: unknown };
  };
  readonly args?: readonly unknown[];
}

/** An interpreter whose steps, texts and lists are bounded, and whose `strip` takes characters as Python's does. */
export class BoundedInterpreter extends Interpreter {
  private steps = 0;

  override evaluate(node: unknown, environment: JinjaEnvironment): JinjaValue {
    if (++this.steps > MOST_STEPS) throw new Error(`it takes more than ${MOST_STEPS} steps`);
    const result =
      this.stripped(node as JinjaNode | undefined, environment) ?? super.evaluate(node, environment);
    const { value } = result;
    if (typeof value === 'string' && value.length > MOST_TEXT)
      throw new Error(`it makes a text of more than ${MOST_TEXT} characters`);
    if (Array.isArray(value) && value.length > MOST_ITEMS)
      throw new Error(`it makes a list of more than ${MOST_ITEMS} items`);
    return result;
  }

  /** `text.strip('x')`, `lstrip` and `rstrip`, of which the library passes over the characters; undefined for all else. */
  private stripped(node: JinjaNode | undefined, environment: JinjaEnvironment): JinjaValue | undefined {
    const { type, callee, args } = node ?? { type: '' };
    if (type !== 'CallExpression' || callee?.type !== 'MemberExpression' || args?.length !== 1)
      return undefined;
    const name = callee.property.value;
    if (name !== 'strip' && name !== 'lstrip' && name !== 'rstrip') return undefined;
    const object = this.evaluate(callee.object, environment);
    const characters = this.evaluate(args[0], environment).value;
    if (typeof object.value !== 'string' || typeof characters !== 'string') return undefined;
    const text = withoutEnds(object.value, characters, name !== 'rstrip', name !== 'lstrip');
    return new (object.constructor as new (text: string) => JinjaValue)(text);
  }
}

function withoutEnds(text: string, characters: string, left: boolean, right: boolean): string {
  const all = [...text];
  const dropped = new Set(characters);
  let [start, end] = [0, all.length];
  while (left && start < end && dropped.has(all[start])) start++;
  while (right && end > start && dropped.has(all[end - 1])) end--;
  return all.slice(start, end).join('');
}
