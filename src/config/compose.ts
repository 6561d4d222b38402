// From files to one raw tree: reading, `defaults:` lists (config groups, packages, `_self_`, `optional`,
// `override`) and the group choices among the overrides. Meaning as in Hydra 1.3.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { AnemoneError, didYouMean, type SourcePosition } from '../errors/index.js';
import type { Override } from './overrides.js';
import { mergeRaw, type RawMap, type RawNode, rawMap, setEntry } from './raw-tree.js';
import { readYaml } from './yaml-reader.js';

/** Files larger than this are surely not configs. */
const MAX_FILE_BYTES = 10_000_000;

/** One line of a defaults list, understood. */
interface DefaultEntry {
  /** Group as seen from the config folder, '' for a config named directly. */
  readonly group: string;
  /** The chosen options; null chooses none. */
  readonly options: readonly string[] | null;
  readonly package: string | undefined;
  readonly optional: boolean;
  readonly isOverride: boolean;
  readonly self: boolean;
  readonly position: SourcePosition;
}

/** A choice of a group's option from an override or an `override` line. */
interface Choice {
  readonly options: readonly string[] | null;
  readonly position: SourcePosition;
  used: boolean;
}

/** Reads a file and what its defaults list names; returns the tree and the overrides that chose no group. */
export function composeFile(
  file: string,
  overrides: readonly Override[],
): { tree: RawMap; rest: Override[] } {
  const composer = new Composer(dirname(file));
  const text = readConfigText(file);
  const rest = overrides.filter((override) => !composer.takeChoice(override));
  const tree = composer.compose(readYaml(text, file), file, '', '');
  composer.refuseUnused();
  return { tree, rest };
}

/** The text of a config file. @throws AnemoneError `config.file-*` */
export function readConfigText(file: string): string {
  if (!existsSync(file)) {
    const folder = dirname(file);
    const names = existsSync(folder) ? yamlNames(folder) : [];
    const nearName = didYouMean(basename(file, extname(file)), names);
    const listedNames =
      names.length > 0 ? `in ${folder} there are ${names.slice(0, 10).join(', ')}` : undefined;
    throw new AnemoneError({
      code: 'config.file-not-found',
      message: existsSync(folder) ? `there is no file ${file}` : `there is no folder ${folder}`,
      hint: nearName ?? listedNames ?? 'check the path; it is relative to the working folder',
    });
  }
  const stats = statSync(file);
  if (stats.isDirectory()) {
    throw new AnemoneError({
      code: 'config.file-is-folder',
      message: `${file} is a folder`,
      hint: 'name a .yaml file in it',
    });
  }
  if (!stats.isFile()) {
    throw new AnemoneError({ code: 'config.file-unreadable', message: `${file} is not a regular file` });
  }
  if (stats.size > MAX_FILE_BYTES) {
    throw new AnemoneError({
      code: 'config.file-too-large',
      message: `${file} has ${stats.size} bytes, too many for a config`,
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    const reason =
      cause instanceof TypeError
        ? 'it is not UTF-8 text'
        : cause instanceof Error
          ? cause.message
          : String(cause);
    throw new AnemoneError({
      code: 'config.file-unreadable',
      message: `cannot read ${file}: ${reason}`,
      cause,
    });
  }
}

class Composer {
  private readonly choices = new Map<string, Choice>();
  private readonly added: DefaultEntry[] = [];
  private readonly reading: string[] = [];

  /** `folder` is where groups are looked for. */
  constructor(private readonly folder: string) {}

  /** Takes an override if it chooses a group: its key, without dots, is a folder beside the config. */
  takeChoice(override: Override): boolean {
    const [group] = override.key.split('@');
    const isFolder =
      !group.includes('.') &&
      existsSync(join(this.folder, group)) &&
      statSync(join(this.folder, group)).isDirectory();
    const hasName = override.value === undefined || isOptionName(override.value);
    if (!isFolder || !hasName) return false;
    const options = override.value === undefined ? null : optionNames(override.value);
    if (override.action === 'add') {
      this.added.push({
        ...parseTarget(override.key, ''),
        options,
        optional: false,
        isOverride: false,
        self: false,
        position: override.position,
      });
    } else {
      this.choices.set(override.key, { options, position: override.position, used: false });
    }
    return true;
  }

  compose(tree: RawMap, file: string, group: string, packagePath: string): RawMap {
    if (this.reading.includes(file)) {
      throw new AnemoneError({
        code: 'config.defaults-cycle',
        message: `defaults lists go in a circle: ${[...this.reading, file].join(' → ')}`,
        position: tree.keyPositions.get('defaults'),
      });
    }
    const list = tree.entries.get('defaults');
    const isPrimary = this.reading.length === 0;
    const parsed =
      list === undefined || !isDefaultsList(list)
        ? undefined
        : list.items.map((item) => parseEntry(item, group)).filter((entry) => !isHydras(entry));
    if (parsed === undefined && !(isPrimary && this.added.length > 0)) return atPackage(tree, packagePath);
    this.reading.push(file);
    const ownTree = rawMap(tree.position);
    for (const [key, child] of tree.entries) {
      if (parsed === undefined || key !== 'defaults')
        setEntry(ownTree, key, child, tree.keyPositions.get(key) ?? child.position);
    }
    const entries = parsed ?? [];
    for (const entry of entries.filter((e) => e.isOverride)) {
      const key = entry.package === undefined ? entry.group : `${entry.group}@${entry.package}`;
      if (!this.choices.has(key))
        this.choices.set(key, { options: entry.options, position: entry.position, used: false });
    }
    const included = entries.filter((entry) => !entry.isOverride);
    const self: DefaultEntry = {
      group: '',
      options: null,
      package: undefined,
      optional: false,
      isOverride: false,
      self: true,
      position: tree.position,
    };
    // A config's own values win over its defaults unless `_self_` says where they stand.
    const ordered = [
      ...(included.some((e) => e.self) ? included : [...included, self]),
      ...(isPrimary ? this.added : []),
    ];
    let result = rawMap(tree.position);
    for (const entry of ordered) {
      const part = entry.self ? atPackage(ownTree, packagePath) : this.include(entry, packagePath);
      if (part) result = mergeRaw(result, part) as RawMap;
    }
    this.reading.pop();
    return result;
  }

  refuseUnused(): void {
    for (const [key, choice] of this.choices) {
      if (choice.used) continue;
      throw new AnemoneError({
        code: 'config.unused-group-choice',
        message: `"${key}" chooses an option of a config group, but no defaults list uses that group`,
        position: choice.position,
        hint: `to add the group, write +${key}=...`,
      });
    }
  }

  private include(entry: DefaultEntry, parentPackage: string): RawMap | undefined {
    const key = entry.package === undefined ? entry.group : `${entry.group}@${entry.package}`;
    const choice = entry.group === '' ? undefined : this.choices.get(key);
    if (choice) choice.used = true;
    const options = choice ? choice.options : entry.options;
    let result: RawMap | undefined;
    for (const option of options ?? []) {
      const part = this.option(entry, option, choice?.position ?? entry.position, parentPackage);
      if (part) result = result === undefined ? part : (mergeRaw(result, part) as RawMap);
    }
    return result;
  }

  private option(
    entry: DefaultEntry,
    option: string,
    position: SourcePosition,
    parentPackage: string,
  ): RawMap | undefined {
    if (option === '???') {
      throw new AnemoneError({
        code: 'config.group-not-chosen',
        message: `an option of the config group "${entry.group}" must be chosen`,
        position,
        hint: `write ${entry.group}=NAME; there are ${this.optionsOf(entry.group).join(', ') || 'none'}`,
      });
    }
    const file = this.fileOf(entry.group, option);
    if (!existsSync(file)) {
      if (entry.optional) return undefined;
      const names = this.optionsOf(entry.group);
      throw new AnemoneError({
        code: 'config.option-not-found',
        message:
          entry.group === ''
            ? `there is no config "${option}" (${file})`
            : `the config group "${entry.group}" has no option "${option}" (${file})`,
        position,
        hint: didYouMean(option, names) ?? (names.length > 0 ? `there are ${names.join(', ')}` : undefined),
      });
    }
    const text = readConfigText(file);
    const header = /^#\s*@package\s+(\S+)/m.exec(text)?.[1];
    const place = packageOf(entry, option, header, parentPackage);
    const nested = join(entry.group, dirname(option));
    return this.compose(
      readYaml(text, file),
      file,
      nested === '.' ? '' : nested.replaceAll('\\', '/'),
      place,
    );
  }

  private fileOf(group: string, option: string): string {
    const file = join(this.folder, group, /\.ya?ml$/.test(option) ? option : `${option}.yaml`);
    if (relative(this.folder, file).startsWith('..')) {
      throw new AnemoneError({
        code: 'config.outside-folder',
        message: `"${option}" leaves the config folder ${this.folder}`,
      });
    }
    return file;
  }

  private optionsOf(group: string): string[] {
    const folder = join(this.folder, group);
    return existsSync(folder) ? yamlNames(folder) : [];
  }
}

/** Hydra's own groups (launchers, sweepers) choose how scripts are started, and nothing of the config. */
function isHydras({ group }: DefaultEntry): boolean {
  return /^\/?hydra\//.test(group);
}

function isDefaultsList(node: RawNode): node is RawNode & { kind: 'list' } {
  return node.kind === 'list';
}

function isOptionName(node: RawNode): boolean {
  return node.kind === 'list'
    ? node.items.every(isOptionName)
    : node.kind === 'scalar' && (typeof node.value === 'string' || node.value === null);
}

function optionNames(node: RawNode): readonly string[] | null {
  if (node.kind === 'list') return node.items.flatMap((item) => optionNames(item) ?? []);
  return node.kind === 'scalar' && node.value !== null ? [String(node.value)] : null;
}

function parseEntry(item: RawNode, group: string): DefaultEntry {
  const base = {
    package: undefined,
    optional: false,
    isOverride: false,
    self: false,
    position: item.position,
  };
  if (item.kind === 'scalar' && typeof item.value === 'string') {
    if (item.value === '_self_') return { ...base, group: '', options: null, self: true };
    const { words, target } = splitWords(item.value);
    const { group: path, package: place } = parseTarget(target, group);
    const slash = path.lastIndexOf('/');
    return {
      ...base,
      group: path.slice(0, Math.max(0, slash)),
      options: [path.slice(slash + 1)],
      package: place ?? '_parent_',
      optional: words.includes('optional'),
    };
  }
  if (item.kind === 'map' && item.entries.size === 1) {
    const [[key, value]] = [...item.entries];
    if (!isOptionName(value)) throw badEntry(item.position);
    const { words, target } = splitWords(key);
    return {
      ...base,
      ...parseTarget(target, group),
      options: optionNames(value),
      optional: words.includes('optional'),
      isOverride: words.includes('override'),
    };
  }
  throw badEntry(item.position);
}

function splitWords(text: string): { words: string[]; target: string } {
  const words = text.trim().split(/\s+/);
  return { words: words.slice(0, -1), target: words[words.length - 1] };
}

/** `group@package`; a leading slash starts at the config folder, otherwise at the including file's group. */
function parseTarget(text: string, from: string): { group: string; package: string | undefined } {
  const [name, place] = text.split('@');
  const group = name.startsWith('/') ? name.slice(1) : [from, name].filter((part) => part !== '').join('/');
  return { group, package: place };
}

function badEntry(position: SourcePosition): AnemoneError {
  return new AnemoneError({
    code: 'config.bad-defaults',
    message: 'a line of a defaults list is a config name, "_self_" or "group: option"',
    position,
  });
}

/** Where an option's content goes: `@package` in the list, else the file's own header, else its group's name. */
function packageOf(entry: DefaultEntry, option: string, header: string | undefined, parent: string): string {
  const ownPackage = [entry.group, dirname(option)]
    .filter((part) => part !== '' && part !== '.')
    .join('/')
    .replaceAll('/', '.');
  const join2 = (tail: string) => [parent, tail].filter((part) => part !== '').join('.');
  const namedPackage = entry.package === '_parent_' ? undefined : entry.package;
  if (namedPackage !== undefined) return absolutePackage(namedPackage, ownPackage, parent, join2);
  if (header !== undefined) return absolutePackage(header, ownPackage, parent, (tail) => tail);
  return entry.package === '_parent_' && ownPackage === '' ? parent : ownPackage;
}

function absolutePackage(
  name: string,
  ownPackage: string,
  parent: string,
  place: (tail: string) => string,
): string {
  if (name === '_global_') return '';
  if (name.startsWith('_global_.')) return name.slice('_global_.'.length);
  if (name === '_here_') return parent;
  if (name === '_group_') return ownPackage;
  return place(name.replaceAll('_group_', ownPackage));
}

function atPackage(tree: RawMap, packagePath: string): RawMap {
  if (packagePath === '') return tree;
  return packagePath.split('.').reduceRight<RawMap>((innerTree, key) => {
    const outerTree = rawMap(innerTree.position);
    setEntry(outerTree, key, innerTree, innerTree.position);
    return outerTree;
  }, tree);
}

function yamlNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => basename(name, extname(name)))
    .sort();
}
