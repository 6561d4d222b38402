// The names that weight files of PyTorch may use, and what each becomes. Everything else is refused, or, in
// checkpoints of trainers (which hold configs and more), recorded without effect; names known for running
// commands are refused there too.
import { AnemoneError, printable } from '../../errors/index.js';
import { PickleExternal, PickleGlobal, PickleTuple, type PickleValue, sequenceOf } from '../pickle/index.js';
import type { SafetensorsDtype } from '../safetensors.js';

/** A run of numbers in the file, which tensors are views of. */
export class TorchStorage extends PickleExternal {
  override readonly external = 'storage';

  constructor(
    readonly key: string,
    /** Undefined for untyped storages. */
    readonly dtype: SafetensorsDtype | undefined,
    /** Numbers, or bytes of an untyped storage. */
    readonly length: number,
    /** Numbers skipped at its start (views in old files). */
    readonly skip = 0,
  ) {
    super();
  }
}

/** A tensor's place in its storage; sizes are counted in numbers. */
export class TorchTensor extends PickleExternal {
  override readonly external = 'tensor';

  constructor(
    readonly storage: TorchStorage,
    readonly dtype: SafetensorsDtype,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

const STORAGES: Readonly<Record<string, SafetensorsDtype>> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  float32: 'F32',
  float: 'F32',
  float64: 'F64',
  double: 'F64',
  float16: 'F16',
  half: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  long: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  uint16: 'U16',
  uint32: 'U32',
  uint64: 'U64',
  bool: 'BOOL',
};

/** Modules whose functions run commands, load code or reach files: no checkpoint needs them. */
const DANGEROUS =
  /^(os|posix|nt|sys|subprocess|pty|commands|shutil|socket|runpy|importlib|imp|ctypes|_?pickle|dill|cloudpickle|code|codeop|timeit|webbrowser|urllib|http|requests|pdb|bdb|cProfile|profile|trace|pip|marshal|torch\.hub|torch\.jit)(\.|$)/;
const DANGEROUS_BUILTINS =
  /^(eval|exec|execfile|compile|open|getattr|setattr|delattr|__import__|input|apply|map|filter|globals|vars|breakpoint|exit|quit|object\.)/;

export interface NameOptions {
  readonly file: string;
  /** Record unknown classes instead of refusing them. */
  readonly lenient: boolean;
}

/** Items that calls of one file may copy: copies of copies of a list would grow beyond any memory. */
const MAX_COPIES = 1 << 22;

/** What a pickle's `find` does for weight files. */
export function torchNames(options: NameOptions): (module: string, name: string) => PickleGlobal {
  let copied = 0;
  const itemsOf = (value: PickleValue | undefined): readonly PickleValue[] => {
    const items = sequenceOf(value) ?? [];
    copied += items.length;
    if (copied <= MAX_COPIES) return items;
    const message = 'it copies its lists over and over, which weights do not need';
    throw new AnemoneError({ code: 'torch.corrupt', message, position: { file: options.file } });
  };
  return (module, name) => {
    const knownValue = knownName(module, name, options.file, itemsOf);
    if (knownValue) return knownValue;
    const builtin = /^(builtins|__builtin__)$/.test(module) && DANGEROUS_BUILTINS.test(name);
    if (!options.lenient || builtin || DANGEROUS.test(module)) throw refused(module, name, options);
    return new PickleGlobal(module, name);
  };
}

function refused(module: string, name: string, { file }: NameOptions): AnemoneError {
  return new AnemoneError({
    code: 'pickle.forbidden',
    path: printable(`${module}.${name}`),
    message: `the file wants Python's ${printable(`${module}.${name}`)}, which weights do not need; nothing was executed`,
    position: { file },
    hint: 'do not trust where this file is from; weights can be exchanged as safetensors',
  });
}

type ItemsOf = (value: PickleValue | undefined) => readonly PickleValue[];

function knownName(module: string, name: string, file: string, itemsOf: ItemsOf): PickleGlobal | undefined {
  const fail = (message: string) =>
    new AnemoneError({ code: 'torch.corrupt', message, position: { file }, path: `${module}.${name}` });
  const make = (call: (args: readonly PickleValue[]) => PickleValue) => new PickleGlobal(module, name, call);
  switch (module) {
    case 'collections':
      if (name === 'OrderedDict') return make((args) => orderedDict(itemsOf(args[0]), fail));
      return undefined;
    case 'builtins':
    case '__builtin__':
      if (name === 'set' || name === 'frozenset') return make(([items]) => new Set(itemsOf(items)));
      if (name === 'dict') return make((args) => orderedDict(itemsOf(args[0]), fail));
      if (name === 'list') return make(([items]) => [...itemsOf(items)]);
      if (name === 'tuple') return make(([items]) => new PickleTuple(sequenceOf(items) ?? []));
      return undefined;
    case '_codecs':
      if (name === 'encode') {
        return make(([text]) => {
          if (typeof text === 'string') return Buffer.from(text, 'latin1');
          throw fail('bytes that are made of something that is not text');
        });
      }
      return undefined;
    case 'torch._utils':
    case 'torch._tensor':
      return rebuild(name, make, fail);
    case 'torch.nn.parameter':
      if (name === 'Parameter') return make(([data]) => data ?? null);
      return undefined;
    case 'torch':
    case 'torch.storage':
      if (name === 'Size') return make(([sizes]) => sizes ?? null);
      if (name === 'device') return make(([device]) => device ?? null);
      if (name === 'Tensor') return new PickleGlobal(module, name);
      if (Object.hasOwn(STORAGES, name) || name === 'UntypedStorage') return new PickleGlobal(module, name);
      if (Object.hasOwn(DTYPES, name)) return new DtypeName(module, name, DTYPES[name]);
      return undefined;
    default:
      return undefined;
  }
}

/** A dtype is a value and not called; it stands on the stack as the name it is. */
class DtypeName extends PickleGlobal {
  constructor(
    module: string,
    name: string,
    readonly dtype: SafetensorsDtype,
  ) {
    super(module, name);
  }
}

type Fail = (message: string) => AnemoneError;

function orderedDict(pairs: readonly PickleValue[], fail: Fail): Map<PickleValue, PickleValue> {
  const map = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    const items = sequenceOf(pair);
    if (items?.length !== 2) throw fail('a dictionary is made of something that is not pairs');
    map.set(items[0], items[1]);
  }
  return map;
}

function rebuild(
  name: string,
  make: (call: (args: readonly PickleValue[]) => PickleValue) => PickleGlobal,
  fail: Fail,
): PickleGlobal | undefined {
  switch (name) {
    case '_rebuild_tensor':
    case '_rebuild_tensor_v2':
      return make(([storage, offset, shape, strides]) =>
        tensor(storage, undefined, offset, shape, strides, fail),
      );
    case '_rebuild_tensor_v3':
      return make(([storage, offset, shape, strides, , , dtype]) =>
        tensor(storage, dtype, offset, shape, strides, fail),
      );
    case '_rebuild_parameter':
    case '_rebuild_parameter_with_state':
      return make(([data]) => data ?? null);
    case '_rebuild_from_type_v2':
      return make(([call, , args]) => {
        const items = sequenceOf(args);
        if (!(call instanceof PickleGlobal && call.call && items)) throw fail('a tensor of an unknown class');
        return call.call(items);
      });
    default:
      return undefined;
  }
}

function tensor(
  storage: PickleValue | undefined,
  dtypeName: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  fail: Fail,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) throw fail('a tensor without a storage');
  const dtype = dtypeName instanceof DtypeName ? dtypeName.dtype : storage.dtype;
  if (!dtype) throw fail('a tensor whose type is not known');
  const sizes = counts(shape);
  const steps = counts(strides);
  if (!sizes || !steps || sizes.length !== steps.length || sizes.length > 64 || !isCount(offset)) {
    throw fail('a tensor with an impossible shape, stride or offset');
  }
  // Empty tensors are checked too: their zero may come after sizes whose product is no number any more.
  if (!isCount(sizes.reduce((product, size) => product * Math.max(1, size), 1))) {
    throw fail(`a tensor of the impossible shape [${sizes}]`);
  }
  return new TorchTensor(storage, dtype, offset, sizes, steps);
}

function counts(value: PickleValue | undefined): number[] | undefined {
  const items = sequenceOf(value);
  return items?.every(isCount) ? [...(items as readonly number[])] : undefined;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** `('storage', type, key, location, length[, view])`, which files refer to their numbers by. */
export function storageOf(id: PickleValue, file: string): TorchStorage {
  const fail = (message: string) => new AnemoneError({ code: 'torch.corrupt', message, position: { file } });
  const [kind, type, key, , length, view] = sequenceOf(id) ?? [];
  if (kind === 'module') throw fail('this is a whole pickled module, not a state dict');
  if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string' || !isCount(length)) {
    throw fail('a reference to something that is not a storage');
  }
  const dtype = Object.hasOwn(STORAGES, type.name) ? STORAGES[type.name] : undefined;
  if (!dtype && type.name !== 'UntypedStorage') throw fail(`numbers of type ${type.name} are not supported`);
  const [, skip, size] = sequenceOf(view) ?? [];
  return isCount(skip) && isCount(size)
    ? new TorchStorage(key, dtype, size, skip)
    : new TorchStorage(key, dtype, length);
}
