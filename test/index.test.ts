// The package's main face: which names it has, and what importing it loads.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const main = join(import.meta.dirname, '../src/index.ts');

/** Tells the address of every module that Node loads after it. */
const recorder = `data:text/javascript,${encodeURIComponent(`let port;
export const initialize = (data) => { port = data.port; };
export const load = (url, context, next) => { port.postMessage(url); return next(url, context); };`)}`;

/** Packages that a program has loaded when it has run `code`. */
function packagesLoadedBy(code: string): readonly string[] {
  const program = `import { createRequire, register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
const { port1, port2 } = new MessageChannel();
const urls = [];
port1.on('message', (url) => urls.push(url)).unref();
register(${JSON.stringify(recorder)}, { data: { port: port2 }, transferList: [port2] });
${code}
await new Promise((resolve) => setTimeout(resolve, 100));
const required = Object.keys(createRequire(${JSON.stringify(main)}).cache);
process.stdout.write(JSON.stringify([...urls, ...required]));
process.exit();`;
  const tsx = pathToFileURL(
    join(dirname(createRequire(import.meta.url).resolve('tsx/package.json')), 'dist/loader.mjs'),
  );
  const printed = execFileSync(
    process.execPath,
    ['--import', tsx.href, '--input-type=module', '-e', program],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const names = (JSON.parse(printed) as string[]).flatMap(
    (url) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(url)?.[1] ?? [],
  );
  return [...new Set(names)].filter((name) => !/^(tsx|esbuild|@esbuild)/.test(name)).sort();
}

const HEAVY = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-cpu',
  'commander',
  'convict',
  'mpg123-decoder',
  'onnxruntime-common',
  'onnxruntime-node',
  'tsyringe',
  'yaml',
];

describe('importing the library', () => {
  it('loads no package that only a first use needs', () => {
    const loaded = packagesLoadedBy(`await import(${JSON.stringify(pathToFileURL(main).href)});`);
    expect(loaded.filter((name) => HEAVY.includes(name))).toEqual([]);
  });

  it('is seen to load them when they are used', () => {
    const loaded =
      packagesLoadedBy(`const { createEngine, configFromText, Trainer } = await import(${JSON.stringify(pathToFileURL(main).href)});
new Trainer(configFromText('trainer: {max_epochs: 1}').trainer);
createEngine({ name: 'reference' });
await import('mpg123-decoder');`);
    expect(loaded).toEqual(
      expect.arrayContaining(['@tensorflow/tfjs-backend-cpu', 'convict', 'mpg123-decoder', 'yaml']),
    );
  });

  it('gives what a training script needs; parts of your own are on subpaths', async () => {
    expect(Object.keys(await import('../src/index.js')).sort()).toMatchInlineSnapshot(`
      [
        "AnemoneError",
        "AnemoneErrors",
        "CONFIG_WARNINGS",
        "Callback",
        "Checkpoint",
        "CheckpointCallback",
        "Container",
        "ENGINE",
        "EarlyStopping",
        "EmaCallback",
        "EncDecCTCModel",
        "EncDecCTCModelBPE",
        "EncDecHybridRNNTCTCBPEModel",
        "EncDecHybridRNNTCTCBPEModelWithPrompt",
        "EncDecHybridRNNTCTCModel",
        "EncDecMultiTaskModel",
        "EncDecRNNTBPEModel",
        "EncDecRNNTModel",
        "LOG",
        "PROGRESS_VIEW",
        "READ_FILE",
        "RUN_FOLDER",
        "SEED",
        "SpeechModel",
        "State",
        "Trainer",
        "checkConfig",
        "component",
        "components",
        "configFromObject",
        "configFromText",
        "createDefaultContainer",
        "createEngine",
        "createFromConfig",
        "createModel",
        "defineKind",
        "defineSchema",
        "expManager",
        "initFrom",
        "initFromConfig",
        "inject",
        "isSpeechModel",
        "loadConfig",
        "mergeConfigs",
        "positionOf",
        "resolveConfig",
        "restoreModel",
        "restoreWeights",
        "runWithConfig",
        "tf",
        "toYaml",
        "token",
        "withOverrides",
      ]
    `);
  });
});
