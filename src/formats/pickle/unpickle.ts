// The stack machine of Python's pickles (protocols 0 to 5), which builds plain data and executes nothing: calls
// go to the functions that `find` offers for a name, and are refused or recorded for any other. It does not
// recurse, so that deep nesting costs memory of the pickle's own size and no stack.
import { PickleCursor } from './cursor.js';
import { PickleGlobal, PickleObject, PickleTuple, type PickleValue, sequenceOf } from './values.js';

export interface UnpickleOptions {
  /** File name for errors. */
  readonly file: string;
  /** What a name stands for. May throw: the name is then refused. */
  readonly find: (module: string, name: string) => PickleGlobal;
  /** What a persistent id stands for. */
  readonly persistent: (id: PickleValue) => PickleValue;
  /** Default 0. */
  readonly offset?: number;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** Offset of the byte after the pickle. */
  readonly end: number;
}

/** @throws AnemoneError `pickle.truncated`, `pickle.corrupt`, and what `find` and `persistent` throw */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): Unpickled {
  const machine = new Machine(bytes, options);
  return { value: machine.run(), end: machine.cursor.position };
}

const MARK = Symbol('mark');
type Slot = PickleValue | typeof MARK;

class Machine {
  readonly cursor: PickleCursor;
  private readonly stack: Slot[] = [];
  private readonly memo = new Map<number, PickleValue>();

  constructor(
    bytes: Uint8Array,
    private readonly options: UnpickleOptions,
  ) {
    this.cursor = new PickleCursor(bytes, options.file, options.offset);
  }

  run(): PickleValue {
    for (;;) {
      const code = this.cursor.uint8();
      if (code === 0x2e) return this.pop();
      const step = STEPS.get(code);
      if (!step) throw this.cursor.fail('corrupt', `unknown opcode 0x${code.toString(16).padStart(2, '0')}`);
      step(this, this.cursor);
    }
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined || value === MARK) throw this.cursor.fail('corrupt', 'the stack is empty');
    return value;
  }

  /** POP also removes marks. */
  drop(): void {
    if (this.stack.pop() === undefined) throw this.cursor.fail('corrupt', 'the stack is empty');
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === MARK) throw this.cursor.fail('corrupt', 'the stack is empty');
    return value;
  }

  mark(): void {
    this.stack.push(MARK);
  }

  popMark(): PickleValue[] {
    const start = this.stack.lastIndexOf(MARK);
    if (start < 0) throw this.cursor.fail('corrupt', 'there is no mark on the stack');
    return this.stack.splice(start).slice(1) as PickleValue[];
  }

  popMany(count: number): PickleValue[] {
    const items = Array.from({ length: count }, () => this.pop());
    return items.reverse();
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.cursor.fail('corrupt', `nothing was memorised as ${index}`);
    this.push(value);
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  find(module: string, name: string): PickleGlobal {
    return this.options.find(module, name);
  }

  persistent(id: PickleValue): void {
    this.push(this.options.persistent(id));
  }

  /** REDUCE, NEWOBJ and their kin: one of our functions, or a record. */
  construct(type: PickleValue, args: readonly PickleValue[]): void {
    if (!(type instanceof PickleGlobal || type instanceof PickleObject)) {
      throw this.cursor.fail('corrupt', 'the pickle calls something that is not a name');
    }
    const call = type instanceof PickleGlobal ? type.call : undefined;
    this.push(call ? call(args) : new PickleObject(type, args));
  }

  args(value: PickleValue): readonly PickleValue[] {
    const items = sequenceOf(value);
    if (!items) throw this.cursor.fail('corrupt', 'the arguments of a call are not a tuple');
    return items;
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (Array.isArray(list)) for (const item of items) list.push(item);
    else if (list instanceof PickleObject) for (const item of items) list.items.push(item);
    else throw this.cursor.fail('corrupt', 'items for something that is not a list');
  }

  setItems(items: readonly PickleValue[]): void {
    if (items.length % 2 !== 0) throw this.cursor.fail('corrupt', 'a key without a value');
    const target = this.top();
    if (target instanceof PickleObject) {
      for (const item of items) target.items.push(item);
      return;
    }
    if (!(target instanceof Map))
      throw this.cursor.fail('corrupt', 'entries for something that is no mapping');
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  }

  addItems(items: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.cursor.fail('corrupt', 'members for something that is not a set');
    for (const item of items) set.add(item);
  }

  /** Attributes: kept for unknown classes; those of dictionaries and tensors say nothing about values. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof PickleObject) target.state = state;
  }
}

function mapOf(machine: Machine, items: readonly PickleValue[]): Map<PickleValue, PickleValue> {
  const map = new Map<PickleValue, PickleValue>();
  machine.push(map);
  machine.setItems(items);
  machine.pop();
  return map;
}

function quoted(text: string): string {
  return text.replace(/^(['"])(.*)\1$/s, '$2');
}

type Step = (machine: Machine, cursor: PickleCursor) => void;

const noExtensions: Step = (_machine, cursor) => {
  throw cursor.fail('forbidden', 'the pickle uses the extension registry');
};

const STEPS = new Map<number, Step>([
  [0x28, (m) => m.mark()],
  [0x30, (m) => m.drop()],
  [0x31, (m) => void m.popMark()],
  [0x32, (m) => m.push(m.top())],
  // Numbers, None and booleans
  [0x46, (m, c) => m.push(Number(c.line()))],
  [0x47, (m, c) => m.push(c.float64())],
  [0x49, (m, c) => m.push(int(c, c.line()))],
  [0x4a, (m, c) => m.push(c.int32())],
  [0x4b, (m, c) => m.push(c.uint8())],
  [0x4c, (m, c) => m.push(c.decimal(c.line().replace(/L$/, '')))],
  [0x4d, (m, c) => m.push(c.uint16())],
  [0x8a, (m, c) => m.push(c.long(c.uint8()))],
  [0x8b, (m, c) => m.push(c.long(c.uint32()))],
  [0x4e, (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  // Text and bytes
  [0x53, (m, c) => m.push(quoted(c.line()))],
  [0x54, (m, c) => m.push(c.latin1(c.uint32()))],
  [0x55, (m, c) => m.push(c.latin1(c.uint8()))],
  [0x56, (m, c) => m.push(c.line())],
  [0x58, (m, c) => m.push(c.utf8(c.uint32()))],
  [0x8c, (m, c) => m.push(c.utf8(c.uint8()))],
  [0x8d, (m, c) => m.push(c.utf8(c.size64()))],
  [0x42, (m, c) => m.push(c.take(c.uint32()))],
  [0x43, (m, c) => m.push(c.take(c.uint8()))],
  [0x8e, (m, c) => m.push(c.take(c.size64()))],
  [0x96, (m, c) => m.push(c.take(c.size64()))],
  // Containers
  [0x5d, (m) => m.push([])],
  [0x6c, (m) => m.push(m.popMark())],
  [0x61, (m) => m.append([m.pop()])],
  [0x65, (m) => m.append(m.popMark())],
  [0x29, (m) => m.push(new PickleTuple([]))],
  [0x74, (m) => m.push(new PickleTuple(m.popMark()))],
  [0x85, (m) => m.push(new PickleTuple(m.popMany(1)))],
  [0x86, (m) => m.push(new PickleTuple(m.popMany(2)))],
  [0x87, (m) => m.push(new PickleTuple(m.popMany(3)))],
  [0x7d, (m) => m.push(new Map())],
  [0x64, (m) => m.push(mapOf(m, m.popMark()))],
  [0x73, (m) => m.setItems(m.popMany(2))],
  [0x75, (m) => m.setItems(m.popMark())],
  [0x8f, (m) => m.push(new Set())],
  [0x90, (m) => m.addItems(m.popMark())],
  [0x91, (m) => m.push(new Set(m.popMark()))],
  // The memo
  [0x67, (m, c) => m.get(Number(c.line()))],
  [0x68, (m, c) => m.get(c.uint8())],
  [0x6a, (m, c) => m.get(c.uint32())],
  [0x70, (m, c) => m.put(Number(c.line()))],
  [0x71, (m, c) => m.put(c.uint8())],
  [0x72, (m, c) => m.put(c.uint32())],
  [0x94, (m) => m.memoize()],
  // Names, calls, persistent ids
  [0x63, (m, c) => m.push(m.find(c.line(), c.line()))],
  [0x93, (m, c) => stackGlobal(m, c)],
  [0x52, (m) => reduce(m)],
  [0x81, (m) => reduce(m)],
  [0x92, (m) => newObjectWithKeywords(m)],
  [0x69, (m, c) => m.construct(m.find(c.line(), c.line()), m.popMark())],
  [0x6f, (m, c) => object(m, c)],
  [0x62, (m) => m.build()],
  [0x50, (m, c) => m.persistent(c.line())],
  [0x51, (m) => m.persistent(m.pop())],
  // Framing
  [0x80, (_m, c) => protocol(c)],
  [0x95, (_m, c) => void c.size64()],
  [0x82, noExtensions],
  [0x83, noExtensions],
  [0x84, noExtensions],
]);

function int(cursor: PickleCursor, text: string): PickleValue {
  if (text === '00' || text === '01') return text === '01';
  return cursor.decimal(text);
}

function protocol(cursor: PickleCursor): void {
  const version = cursor.uint8();
  if (version > 5) throw cursor.fail('corrupt', `pickle protocol ${version} is not known`);
}

function stackGlobal(machine: Machine, cursor: PickleCursor): void {
  const [module, name] = machine.popMany(2);
  if (typeof module !== 'string' || typeof name !== 'string') {
    throw cursor.fail('corrupt', 'a name that is not text');
  }
  machine.push(machine.find(module, name));
}

function reduce(machine: Machine): void {
  const [type, args] = machine.popMany(2);
  machine.construct(type, machine.args(args));
}

function newObjectWithKeywords(machine: Machine): void {
  const [type, args, keywords] = machine.popMany(3);
  machine.construct(type, [...machine.args(args), keywords]);
}

function object(machine: Machine, cursor: PickleCursor): void {
  const [type, ...args] = machine.popMark();
  if (type === undefined) throw cursor.fail('corrupt', 'an object without a class');
  machine.construct(type, args);
}
