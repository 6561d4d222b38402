// YAML text to a raw tree with positions. Only plain data: tags that would build other objects are refused,
// and aliases are expanded under a budget, so that a small file cannot become a huge one.
import type { Alias, LineCounter, Node } from 'yaml';
import { AnemoneError, type SourcePosition } from '../errors/index.js';
import { throwAll } from './collect.js';
import { type Literal, resolvePlainScalar } from './dialect.js';
import {
  cloneRaw,
  MAX_DEPTH,
  type RawMap,
  type RawNode,
  rawList,
  rawMap,
  rawScalar,
  setEntry,
  tooDeep,
} from './raw-tree.js';
import { parseYaml, type YamlDocument } from './yaml-document.js';
import { yaml } from './yaml-library.js';

/** The most values one file may hold once aliases are expanded. */
const MAX_NODES = 100_000;

/** Characters of one file, and line ends, commas and brackets: each may stand for a value, which takes a kilobyte. */
const MAX_TEXT = 10_000_000;
const MAX_SEPARATORS = 500_000;

const TAG_PREFIX = 'tag:yaml.org,2002:';

/** Reads one YAML document whose top is a mapping. `file` names it in positions. */
export function readYaml(text: string, file: string): RawMap {
  refuseHuge(text, file);
  const positionIn = (lines: LineCounter, offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const { document, lines } = parseYaml(text, (readLines, offset) => tooDeep(positionIn(readLines, offset)));
  const at = (offset: number) => positionIn(lines, offset);
  if (document.errors.length > 0) {
    const errors = document.errors.map((error) => syntaxError(error, at(error.pos[0])));
    throwAll('config.yaml-syntax', `${file}: ${errors.length} YAML errors`, errors);
  }
  const contents = document.contents as Node | null;
  if (contents === null || (yaml().isScalar(contents) && contents.value === ''))
    return rawMap({ file, line: 1, column: 1 });
  if (!yaml().isMap(contents)) {
    throw new AnemoneError({
      code: 'config.not-a-mapping',
      message: 'a config must be a mapping of keys to values',
      position: at(contents.range?.[0] ?? 0),
    });
  }
  const reader = new Reader(at, aliasTargets(document));
  const map = reader.map(contents, 0);
  throwAll('config.duplicate-key', `${file}: keys that appear twice`, reader.problems);
  return map;
}

/** Refuses what would fill the memory before its values can be counted. */
function refuseHuge(text: string, file: string): void {
  let separators = 0;
  for (let i = 0; i < text.length && text.length <= MAX_TEXT; i++) {
    const sign = text.charCodeAt(i);
    if (sign === 0x0a || sign === 0x2c || sign === 0x5b || sign === 0x7b) separators++;
  }
  if (text.length <= MAX_TEXT && separators <= MAX_SEPARATORS) return;
  throw new AnemoneError({
    code: 'config.too-large',
    message: `too long for a config: it has ${text.length} characters`,
    position: { file },
  });
}

/** What each alias stands for: the value before it that has the anchor last. One walk finds all of them. */
function aliasTargets(document: YamlDocument['document']): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  yaml().visit(document, {
    Alias: (_, alias) => {
      const target = anchors.get(alias.source);
      if (target) targets.set(alias, target);
    },
    Value: (_, node) => {
      if (node.anchor) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

class Reader {
  readonly problems: AnemoneError[] = [];
  private count = 0;
  private readonly open = new Set<Node>();

  constructor(
    private readonly at: (offset: number) => SourcePosition,
    private readonly targets: ReadonlyMap<Alias, Node>,
  ) {}

  map(node: Node, depth: number): RawMap {
    return this.node(node, depth) as RawMap;
  }

  private node(node: Node | null, depth: number, key?: SourcePosition): RawNode {
    // A mapping or list under a key is best found at its key; a scalar at itself.
    const atKey = key !== undefined && !yaml().isScalar(node) && !yaml().isAlias(node);
    const position = !atKey && node?.range ? this.at(node.range[0]) : (key ?? this.at(0));
    if (++this.count > MAX_NODES) {
      throw new AnemoneError({
        code: 'config.too-large',
        message: `the config grows beyond ${MAX_NODES} values when its aliases are expanded`,
        position,
        hint: 'do not nest aliases of aliases',
      });
    }
    if (depth > MAX_DEPTH) throw tooDeep(position);
    if (node === null) return rawScalar(null, position);
    if (yaml().isAlias(node)) return this.alias(node, depth, position);
    if (this.open.has(node)) {
      throw new AnemoneError({
        code: 'config.alias-cycle',
        message: 'an alias refers to a value that contains it',
        position,
      });
    }
    this.open.add(node);
    try {
      return this.container(node, depth, position);
    } finally {
      this.open.delete(node);
    }
  }

  private container(node: Node, depth: number, position: SourcePosition): RawNode {
    if (yaml().isScalar(node)) return this.scalar(node, position);
    refuseTag(node.tag, yaml().isMap(node) ? ['map', 'omap'] : ['seq'], position);
    if (yaml().isSeq(node)) {
      const items = node.items.map((item) => {
        if (yaml().isPair(item)) throw unsupportedKey(position);
        return this.node((item as Node | null) ?? null, depth + 1);
      });
      return rawList(items, position);
    }
    const map = rawMap(position);
    const mergedMap = rawMap(position);
    for (const { key, value } of yaml().isMap(node) ? node.items : []) {
      if (!yaml().isScalar(key)) throw unsupportedKey(position);
      const keyPosition = key.range ? this.at(key.range[0]) : position;
      const child = this.node(value as Node | null, depth + 1, keyPosition);
      if (key.value === '<<' && (key.type === undefined || key.type === 'PLAIN')) {
        mergeInto(mergedMap, child, keyPosition);
      } else {
        this.refuseDuplicate(map, String(key.value), keyPosition);
        setEntry(map, String(key.value), child, keyPosition);
      }
    }
    // Keys written out win over merged ones, wherever `<<` stands.
    for (const [key, child] of mergedMap.entries) {
      if (!map.entries.has(key)) setEntry(map, key, child, mergedMap.keyPositions.get(key) ?? position);
    }
    return map;
  }

  /** Notes a key that appears twice; reading goes on, so that all of them are reported at once. */
  private refuseDuplicate(map: RawMap, key: string, position: SourcePosition): void {
    const first = map.keyPositions.get(key);
    if (first === undefined) return;
    const error = new AnemoneError({
      code: 'config.duplicate-key',
      message: `the key "${key}" appears twice in one mapping, first on line ${first.line}`,
      position,
      hint: 'keep one of them',
    });
    this.problems.push(error);
  }

  private alias(alias: Alias, depth: number, position: SourcePosition): RawNode {
    const target = this.targets.get(alias);
    if (target === undefined) {
      throw new AnemoneError({
        code: 'config.unknown-alias',
        message: `the alias *${alias.source} has no anchor &${alias.source} before it`,
        position,
      });
    }
    return this.node(target, depth, position);
  }

  private scalar(node: { value: unknown; type?: string; tag?: string }, position: SourcePosition): RawNode {
    const text = String(node.value ?? '');
    const tag = node.tag?.startsWith(TAG_PREFIX) ? node.tag.slice(TAG_PREFIX.length) : node.tag;
    const literal = tagged(tag, text, node.type === 'PLAIN', position);
    if (typeof literal.value === 'number' && !literal.float && !Number.isSafeInteger(literal.value)) {
      throw new AnemoneError({
        code: 'config.integer-too-large',
        message: `the integer ${text} is beyond ±2^53 and would lose digits`,
        position,
        hint: 'write it as a float or in quotes',
      });
    }
    return rawScalar(literal.value, position, literal.float);
  }
}

function tagged(tag: string | undefined, text: string, isPlain: boolean, position: SourcePosition): Literal {
  if (tag === undefined || tag === '' || (tag === 'str' && isPlain === false)) {
    return isPlain ? resolvePlainScalar(text) : { value: text, float: false };
  }
  if (tag === 'str' || tag === '!') return { value: text, float: false };
  refuseTag(tag, ['int', 'float', 'bool', 'null'], position);
  const literal = resolvePlainScalar(text);
  const { value } = literal;
  if (tag === 'float' && typeof value === 'number') return { value, float: true };
  if (tag === 'int' && typeof value === 'number' && !literal.float) return literal;
  if ((tag === 'bool' && typeof value === 'boolean') || (tag === 'null' && value === null)) return literal;
  throw new AnemoneError({ code: 'config.bad-tag', message: `"${text}" is not a YAML ${tag}`, position });
}

function refuseTag(tag: string | undefined, allowedTags: readonly string[], position: SourcePosition): void {
  const name = tag?.startsWith(TAG_PREFIX) ? tag.slice(TAG_PREFIX.length) : tag;
  if (name === undefined || name === '' || name === '!' || allowedTags.includes(name)) return;
  throw new AnemoneError({
    code: 'config.forbidden-tag',
    message: `the YAML tag "${tag}" is not allowed: a config is plain data and never builds objects or runs code`,
    position,
    hint: 'remove the tag; name components with _target_',
  });
}

/** Merge keys: the first mapping that has a key wins. */
function mergeInto(mergedMap: RawMap, source: RawNode, position: SourcePosition): void {
  const sources = source.kind === 'list' ? source.items : [source];
  for (const map of sources) {
    if (map.kind !== 'map') {
      throw new AnemoneError({
        code: 'config.bad-merge',
        message: '"<<" needs a mapping or a list of mappings',
        position,
      });
    }
    for (const [key, child] of map.entries) {
      if (!mergedMap.entries.has(key))
        setEntry(mergedMap, key, cloneRaw(child), map.keyPositions.get(key) ?? position);
    }
  }
}

function unsupportedKey(position: SourcePosition): AnemoneError {
  return new AnemoneError({ code: 'config.bad-key', message: 'keys must be plain words', position });
}

function syntaxError(error: { code: string; message: string }, position: SourcePosition): AnemoneError {
  const message = error.message.split('\n')[0].replace(/[.:]?\s*$/, '');
  const tab = error.code === 'TAB_AS_INDENT';
  return new AnemoneError({
    code: 'config.yaml-syntax',
    message: `not valid YAML: ${message}`,
    position,
    hint: tab ? 'indent with spaces' : undefined,
  });
}
