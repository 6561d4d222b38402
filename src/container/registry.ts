// The components a container knows, by kind and name. An object like any other: two of them share nothing.
import {
  type CheckContext,
  CheckMemory,
  type ComponentLookup,
  type ConfigNode,
  isImmutable,
  overlayNode,
  positionOf,
} from '../config/index.js';
import { AnemoneError, didYouMean, type SourcePosition } from '../errors/index.js';
import { type ComponentDescriptor, withArticle } from './component.js';

/** Keys of a component's mapping that say how to build it and are no settings of it (Hydra's). */
const BUILD_KEYS = ['_target_', '_convert_', '_recursive_'];

/** What a section describes: the component that it names, and the typed value of its keys. */
export interface CheckedComponent {
  readonly descriptor: ComponentDescriptor;
  readonly value: unknown;
}

/** The components a container knows, by kind and name. An object like any other: two of them share nothing. */
export class ComponentRegistry implements ComponentLookup {
  /** What was built first; no component is added after it. */
  usedBy: string | undefined;
  readonly memory = new CheckMemory();
  /** By the sections that `checkComponent` returned. */
  private readonly checked = new WeakMap<ConfigNode, CheckedComponent>();
  private readonly byName = new Map<string, ComponentDescriptor[]>();
  private readonly all: ComponentDescriptor[] = [];

  /**
   * Makes a component known under its name and aliases.
   * @throws AnemoneError `container.duplicate` if a name or alias is taken within the kind
   */
  add(descriptor: ComponentDescriptor): void {
    for (const name of [descriptor.name, ...descriptor.aliases]) {
      const namesake = this.byName.get(name)?.find(({ kind }) => kind === descriptor.kind);
      if (namesake) {
        throw new AnemoneError({
          code: 'container.duplicate',
          message: `cannot register ${describe(descriptor)}: the name "${name}" belongs to ${describe(namesake)}`,
          hint: 'choose another name',
        });
      }
    }
    for (const name of new Set([descriptor.name, ...descriptor.aliases])) {
      this.byName.set(name, [...(this.byName.get(name) ?? []), descriptor]);
    }
    this.all.push(descriptor);
  }

  /** Every component, in the order of registration. */
  list(kind?: string): readonly ComponentDescriptor[] {
    return this.all.filter((descriptor) => kind === undefined || descriptor.kind === kind);
  }

  /**
   * The component a name stands for.
   * @throws AnemoneError `container.unknown-component` or `container.wrong-kind`, at `position`
   */
  find(name: string, kind: string, position?: SourcePosition, path?: string): ComponentDescriptor {
    const namesakes = this.byName.get(name) ?? [];
    const foundComponent =
      namesakes.find((descriptor) => descriptor.kind === kind) ?? this.findMoved(name, kind);
    if (foundComponent) return foundComponent;
    const fitting = this.list(kind).map((descriptor) => descriptor.name);
    const wantedWords = this.wordsOf(kind);
    if (namesakes.length > 0) {
      throw new AnemoneError({
        code: 'container.wrong-kind',
        message: `expected ${wantedWords} here, but "${name}" is ${namesakes[0].what}`,
        path,
        position,
        hint: fitting.length > 0 ? `known here: ${fitting.join(', ')}` : undefined,
      });
    }
    // All paths of NeMo's modules are alike for the most part, so only their last part tells what is near.
    const last = lastPart(name);
    const isForeign = name.startsWith(NEMO);
    const nearName =
      (isForeign ? undefined : didYouMean(name, this.namesOf(kind))) ?? didYouMean(last, fitting);
    if (isForeign && !nearName) {
      throw new AnemoneError({
        code: 'container.unknown-component',
        message: `NeMo's ${last} is not supported`,
        path,
        position,
        hint: `as ${wantedWords}, ${fitting.join(', ')} are`,
        details: { name, kind, known: fitting },
      });
    }
    const listedNames =
      fitting.length > 0
        ? `known are ${fitting.join(', ')}; one of your own must be registered (commands: --import)`
        : `no component of kind ${kind} is registered`;
    throw new AnemoneError({
      code: 'container.unknown-component',
      message: `there is no ${kind.replaceAll('_', ' ')} named "${name}"`,
      path,
      position,
      hint: nearName ? `${nearName} Known are ${fitting.join(', ')}` : listedNames,
      details: { name, kind, known: fitting },
    });
  }

  /** What the check of a section found, for the sections that checks return; undefined for any other. */
  recall(section: ConfigNode, kind: string): CheckedComponent | undefined {
    const foundCheck = this.checked.get(section);
    return foundCheck?.descriptor.kind === kind ? foundCheck : undefined;
  }

  /** The component a mapping names. @throws AnemoneError also `container.unnamed` */
  findFor(
    node: ConfigNode,
    kind: string,
    nameKey = '_target_',
    defaultName?: string,
    path?: string,
  ): ComponentDescriptor {
    const knownComponent = this.recall(node, kind);
    if (knownComponent) return knownComponent.descriptor;
    // What NeMo names by `name` may be named as everything else is.
    const key = nameKey === 'name' && node['_target_'] !== undefined ? '_target_' : nameKey;
    const name = node[key] ?? defaultName;
    const position = positionOf(node, key) ?? positionOf(node);
    if (typeof name !== 'string') {
      const fitting = this.list(kind).map((descriptor) => descriptor.name);
      throw new AnemoneError({
        code: 'container.unnamed',
        message:
          name === undefined
            ? `the key "${nameKey}" must name ${this.wordsOf(kind)}`
            : `"${nameKey}" must be the name of ${this.wordsOf(kind)}`,
        path,
        position,
        hint: `known are ${fitting.join(', ')}`,
      });
    }
    return this.find(name, kind, position, path);
  }

  checkComponent(node: ConfigNode, kind: string, nameKey: string, at: CheckContext): ConfigNode {
    const before = at.problems.length;
    try {
      const descriptor = this.findFor(node, kind, nameKey, undefined, at.path.join('.'));
      const value = descriptor.schema.checkKeys(node, at, buildKeys(nameKey));
      if (at.problems.length > before) return node;
      // A mapping made in code may change; a copy that cannot makes sure that what was found stays true.
      const section = isImmutable(node) ? node : overlayNode(node, {});
      this.checked.set(section, { descriptor, value });
      return section;
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      at.add(error);
      return node;
    }
  }

  /** NeMo's classes are reachable by several module paths; the last part says which one is meant. */
  private findMoved(name: string, kind: string): ComponentDescriptor | undefined {
    if (!name.startsWith(NEMO)) return undefined;
    return this.list(kind).find(({ aliases }) =>
      aliases.some((alias) => alias.startsWith(NEMO) && lastPart(alias) === lastPart(name)),
    );
  }

  /** As its components say, or as its name says where there are none. */
  private wordsOf(kind: string): string {
    return this.all.find((descriptor) => descriptor.kind === kind)?.what ?? withArticle(kind);
  }

  private namesOf(kind: string): string[] {
    return this.list(kind).flatMap((descriptor) => [descriptor.name, ...descriptor.aliases]);
  }
}

/** The keys a component's schema does not see. */
export function buildKeys(nameKey: string, moreKeys: readonly string[] = []): readonly string[] {
  return [...BUILD_KEYS, nameKey, ...moreKeys];
}

const NEMO = 'nemo.';

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function describe(descriptor: ComponentDescriptor): string {
  return `the ${descriptor.kind} "${descriptor.name}"`;
}
