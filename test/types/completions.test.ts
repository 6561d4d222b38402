// What an editor offers between the braces of a section: the keys of its schema, asked of the language service itself.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ctcModelSchema } from '../../src/asr/models/ctc-family.js';
import { trainerSchema } from '../../src/training/index.js';

const root = resolve(import.meta.dirname, '../..');
const file = join(root, 'test/types/typed-by-hand.ts');
/** `|` is where the cursor stands. */
const cases = {
  trainer: 'new Trainer({ | });',
  engine: 'new Trainer({ engine: { | } });',
  fromConfig: 'EncDecCTCModel.fromConfig({ | });',
  trainData: 'EncDecCTCModel.fromConfig({ train_ds: { | } });',
  createModel: 'createModel({ | });',
  decoding: 'model.changeDecoding({ | });',
} as const;

function offered(cursors: typeof cases): Readonly<Record<string, readonly string[]>> {
  const head = `import { createModel, EncDecCTCModel, Trainer } from '../../src/index.js';
declare const model: EncDecCTCModel;\n`;
  let text = head;
  const positions = Object.entries(cursors).map(([name, line]) => {
    const at = text.length + line.indexOf('|');
    text += `${line.replace('|', '')}\n`;
    return [name, at] as const;
  });
  const { config } = ts.readConfigFile(join(root, 'test/tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    config,
    { ...ts.sys, readDirectory: () => [] },
    join(root, 'test'),
  );
  const service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (name) => {
      if (name === file) return ts.ScriptSnapshot.fromString(text);
      return ts.sys.fileExists(name) ? ts.ScriptSnapshot.fromString(readFileSync(name, 'utf8')) : undefined;
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  });
  return Object.fromEntries(
    positions.map(([name, at]) => {
      const found = service.getCompletionsAtPosition(file, at, {});
      return [name, (found?.entries ?? []).map((entry) => entry.name.replace(/\?$/, ''))];
    }),
  );
}

describe('an editor', () => {
  const keys = offered(cases);

  it('offers the keys of the trainer section, and nothing else', () => {
    const known = [...Object.keys(trainerSchema.fields), ...trainerSchema.ignored.keys()];
    expect([...keys['trainer']].sort()).toEqual(known.sort());
  });

  it('offers the keys of a model section', () => {
    const known = [...Object.keys(ctcModelSchema.fields), ...ctcModelSchema.ignored.keys()];
    expect([...keys['fromConfig']].sort()).toEqual(known.sort());
  });

  it('offers the keys of sections in sections', () => {
    expect(keys['engine']).toEqual(expect.arrayContaining(['name', 'provider', 'threads']));
    expect(keys['trainData']).toEqual(expect.arrayContaining(['manifest_filepath', 'batch_size', 'shuffle']));
    expect(keys['decoding']).toEqual(expect.arrayContaining(['strategy', 'beam', 'greedy']));
  });

  it('offers createModel the keys of every family', () => {
    expect(keys['createModel']).toEqual(
      expect.arrayContaining(['encoder', 'joint', 'aux_ctc', 'transf_decoder', 'target']),
    );
  });
});
