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

module.exports = {
  forbidden: [
    ...layerRules,
    ...neighbourRules,
    {
      name: 'no-circular',
      comment: 'A cycle between files means that two ideas are one, or that one of them is in the wrong file.',
      severity: 'error',
      from: {},
      // Cycles of types alone vanish when compiled.
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
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
