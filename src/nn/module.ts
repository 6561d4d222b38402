// The tree of modules.
import { AnemoneError, didYouMean } from '../errors/index.js';
import type { Initializer } from './initializers.js';
import { namePattern } from './name-pattern.js';
import { Buffer, joinPath, Parameter, type Running } from './parameter.js';

/**
 * A node in the tree of modules, the counterpart of PyTorch's `nn.Module`. Names are those of NeMo's state dict
 * (`encoder.layers.0.self_attn.linear_q.weight`), so that checkpoints need no table of names. A module holds no
 * tensor values: the engine does.
 */
export abstract class Module {
  /** Seed of the initial values; only the root's counts. */
  seed = 0;
  private parent: Module | undefined;
  private label = '';
  private readonly members = new Map<string, Module | Parameter | Buffer>();
  private readonly ties = new Map<string, Parameter>();

  /** Dotted path from the root, '' for the root. */
  get path(): string {
    return this.parent ? joinPath(this.parent.path, this.label) : '';
  }

  /** The module at the top of the tree; a module without a parent is its own root. */
  get root(): Module {
    return this.parent ? this.parent.root : this;
  }

  /** Registers a trained value under `label`; the engine gives it its initial values when it is first read. */
  protected parameter(label: string, shape: readonly number[], initializer: Initializer): Parameter {
    return this.register(label, new Parameter(this, label, shape, initializer));
  }

  /** A second name in checkpoints for a parameter of another module, as PyTorch has for shared weights. */
  protected tie(label: string, parameter: Parameter): void {
    this.ties.set(label, parameter);
  }

  /**
   * Registers a value that is not trained, such as a running statistic.
   * @param options `persistent` (default true): checkpoints and archives hold it; `running`: how batches change it;
   *   `followsAllRanks` (default false): see `Buffer`
   */
  protected buffer(
    label: string,
    shape: readonly number[],
    initial: () => Float32Array | Int32Array,
    options: {
      dtype?: 'float32' | 'int32';
      persistent?: boolean;
      running?: Running;
      followsAllRanks?: boolean;
    } = {},
  ): Buffer {
    const { dtype, persistent, running, followsAllRanks } = options;
    const buffer = new Buffer(this, label, shape, initial, dtype, persistent, running, followsAllRanks);
    return this.register(label, buffer);
  }

  /**
   * Adds a child under `label`, which may contain dots (`conv.0`), or be empty where names say nothing of the child. A
   * module has one parent.
   */
  protected child<M extends Module>(label: string, module: M): M {
    if (module.parent) {
      throw new AnemoneError({
        code: 'nn.shared-module',
        path: module.path,
        message: `already a part of ${module.parent.constructor.name}; it cannot also be "${label}"`,
      });
    }
    module.parent = this;
    module.label = label;
    return this.register(label, module);
  }

  /** Children `label.0`, `label.1`, … */
  protected children<M extends Module>(label: string, modules: readonly M[]): readonly M[] {
    return modules.map((module, i) => this.child(`${label}.${i}`, module));
  }

  /**
   * Puts another module in the place of a child. It may be one of another tree, which is not to be used from then on.
   * @throws AnemoneError `nn.no-such-child`
   */
  protected replaceChild<M extends Module>(label: string, module: M): M {
    const oldMember = this.members.get(label);
    if (!(oldMember instanceof Module)) {
      throw new AnemoneError({
        code: 'nn.no-such-child',
        path: joinPath(this.path, label),
        message: 'there is no module to take the place of',
      });
    }
    oldMember.parent = undefined;
    module.parent = this;
    module.label = label;
    this.members.set(label, module);
    return module;
  }

  /** Takes a child away; there may be none. */
  protected removeChild(label: string): void {
    const member = this.members.get(label);
    if (!(member instanceof Module)) return;
    member.parent = undefined;
    this.members.delete(label);
  }

  /** All parameters below, in order of registration. */
  *parameters(): Iterable<Parameter> {
    for (const member of this.walk()) if (member instanceof Parameter) yield member;
  }

  /** Numbers in all parameters below. Needs no engine: values do not exist before one asks for them. */
  parameterCount(): number {
    let count = 0;
    for (const parameter of this.parameters()) count += parameter.size;
    return count;
  }

  /** All buffers below, non-persistent ones too. */
  *buffers(): Iterable<Buffer> {
    for (const member of this.walk()) if (member instanceof Buffer) yield member;
  }

  /** What a checkpoint holds: parameters and persistent buffers by name. */
  stateDict(): Map<string, Parameter | Buffer> {
    const states = new Map<string, Parameter | Buffer>();
    for (const member of this.walk()) {
      if (member instanceof Parameter || member.persistent) states.set(member.name, member);
    }
    return states;
  }

  /** Second names of parameters below, and what they name; not in `stateDict`, which has every value once. */
  tiedNames(): Map<string, Parameter> {
    const names = new Map<string, Parameter>();
    for (const module of this.modules()) {
      for (const [label, parameter] of module.ties) names.set(joinPath(module.path, label), parameter);
    }
    return names;
  }

  /** Modules below and this one, with their paths. */
  *modules(): Iterable<Module> {
    yield this;
    for (const member of this.members.values()) if (member instanceof Module) yield* member.modules();
  }

  /**
   * Stops training of everything below, or of what the patterns name: a module's path, or a pattern with `*`
   * over full parameter names (`encoder.layers.0`, `*.norm_out.*`). Statistics of batch norms still follow the data.
   * @throws AnemoneError `nn.no-such-parameter` for a pattern that names nothing
   */
  freeze(...patterns: readonly string[]): void {
    for (const parameter of this.matching(patterns)) parameter.trainable = false;
  }

  /** The opposite of `freeze`. */
  unfreeze(...patterns: readonly string[]): void {
    for (const parameter of this.matching(patterns)) parameter.trainable = true;
  }

  private matching(patterns: readonly string[]): Iterable<Parameter> {
    const all = [...this.parameters()];
    if (patterns.length === 0) return all;
    return patterns.flatMap((pattern) => {
      const matches = namePattern(pattern);
      const matching = all.filter((parameter) => matches(parameter.name));
      if (matching.length > 0) return matching;
      const names = all.map((parameter) => parameter.name);
      throw new AnemoneError({
        code: 'nn.no-such-parameter',
        path: pattern,
        message: 'names no parameter',
        hint: didYouMean(pattern, names) ?? `parameters are ${names.slice(0, 3).join(', ')}, …`,
      });
    });
  }

  private *walk(): Iterable<Parameter | Buffer> {
    for (const member of this.members.values()) {
      if (member instanceof Module) yield* member.walk();
      else yield member;
    }
  }

  private register<T extends Module | Parameter | Buffer>(label: string, member: T): T {
    if (this.members.has(label)) {
      throw new AnemoneError({
        code: 'nn.duplicate',
        path: joinPath(this.path, label),
        message: 'registered twice',
      });
    }
    this.members.set(label, member);
    return member;
  }
}
