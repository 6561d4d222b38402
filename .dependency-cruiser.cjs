// The layers of src/: a folder may import only folders that stand above it in LAYERS, and only through their
// index.ts. Checked by `npm run layers`.
const LAYERS = [
  ['errors', 'random'],
  ['formats'],
  ['config'],
  ['container'],
  ['engine'],
  ['audio', 'text'],
  ['distributed'],
  ['nn'],
  ['optim', 'transformer', 'adapters', 'nemo'],
  ['model', 'generation'],
  ['training', 'data'],
  ['asr', 'lm'],
];
/**
 * The rooms inside asr, bottom up: a room imports those before it. `asr/nemo` says what NeMo's files say of speech models.
 */
const ASR_ROOMS = [
  'encoders',
  'nemo',
  'decoders',
  'losses',
  'export',
  'decoding',
  'recognition',
  'transcription',
  'streaming',
  'models',
  'inspection',
];
/** Files and folders above all layers: they may import anything but each other downwards. */
const ROOF = ['composition\\.ts', 'index\\.ts', 'cli'];

const folder = (names) => `^src/(${names.join('|')})(/|$)`;

const layerRules = LAYERS.map((names, level) => ({
  name: `layer-${names.join('-')}`,
  comment: `src/${names.join(', src/')} may import only the layers above: see CONTRIBUTING.md.`,
  severity: 'error',
  from: { path: folder(names) },
  to: { path: folder([...LAYERS.slice(level + 1).flat(), ...ROOF]) },
}));

/** Neighbours within one level (audio and text, asr and lm) do not know each other; errors and random do not either. */
const neighbourRules = LAYERS.filter((names) => names.length > 1).flatMap((names) =>
  names.map((name) => ({
    name: `neighbours-of-${name}`,
    severity: 'error',
    from: { path: folder([name]) },
    to: { path: folder(names.filter((other) => other !== name)) },
  })),
);

const asrRules = ASR_ROOMS.slice(0, -1).map((name, level) => ({
  name: `asr-${name}`,
  comment: `src/asr/${name} may import only the rooms of asr below it.`,
  severity: 'error',
  from: { path: `^src/asr/${name}/` },
  to: { path: `^src/asr/(${[...ASR_ROOMS.slice(level + 1), 'index\\.ts'].join('|')})(/|$)` },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    ...neighbourRules,
    ...asrRules,
    {
      name: 'no-circular',
      comment: 'A cycle between files means that two ideas are one, or that one of them is in the wrong file.',
      severity: 'error',
      from: {},
      // Cycles of types alone vanish when compiled, but whoever reads one file has to read all of them.
      to: { circular: true },
    },
    {
      name: 'only-faces',
      comment: 'Another folder is imported through its index.ts, its public face.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'no-dev-dependency',
      comment: 'What src/ imports must be installed with the package.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { path: '^src/' },
      // The tensorflow engine looks for these at run time; a user installs one or none.
      to: { couldNotResolve: true, pathNot: ['^@tensorflow/tfjs-node'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
