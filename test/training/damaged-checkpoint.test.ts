// Checkpoints that are damaged, or that a stranger made: JSON of another shape, names that lead elsewhere, links.
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { expManager, listCheckpoints, resolveCheckpoint, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

let saved: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  const engine = createReferenceEngine();
  const trainer = new Trainer(
    { handle_signals: false, max_epochs: 1 },
    { engine, view: new RecordingView() },
  );
  await expManager(trainer, {
    explicit_log_dir: folder,
    name: 'toy',
    create_tensorboard_logger: false,
    create_report: false,
  });
  await trainer.fit(new ToyModel());
  saved = (await resolveCheckpoint(folder)).path;
});

/** A copy that `change` then spoils. */
function copyOf(change: (path: string) => void): string {
  const path = join(temporaryFolder(), 'copy.ckpt');
  cpSync(saved, path, { recursive: true });
  change(path);
  return path;
}

type Manifest = { files: Record<string, unknown> } & Record<string, unknown>;

const manifestOf = (path: string) =>
  JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as Manifest;

function writeManifest(path: string, manifest: unknown): void {
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
}

const record = (path: string) => ({
  bytes: statSync(path).size,
  sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
});

/** Replaces a file and what the manifest says of it. */
function replace(path: string, file: string, content: string): void {
  writeFileSync(join(path, file), content);
  const manifest = manifestOf(path);
  manifest.files[file] = record(join(path, file));
  writeManifest(path, manifest);
}

async function messageOf(path: string): Promise<string> {
  try {
    const checkpoint = await resolveCheckpoint(path);
    await checkpoint.verify();
  } catch (error) {
    if (error instanceof AnemoneError && error.code === 'checkpoint.damaged') return error.message;
    throw error;
  }
  throw new Error('was read');
}

describe('a damaged checkpoint', () => {
  it.each(['', 'null', '5', '"abc"', '[]', '{}', '{"a":', '['.repeat(1e5)])(
    'is one whose manifest.json is %s',
    async (text) => {
      const path = copyOf((folder) => writeFileSync(join(folder, 'manifest.json'), text));
      expect(await messageOf(path)).toMatch(/incomplete or damaged: manifest\.json/);
    },
  );

  it.each([
    ['files', null],
    ['files', []],
    ['files', { 'state.json': null }],
    ['files', { 'state.json': { bytes: '5', sha256: 'x' } }],
    ['files', {}],
    ['created', 5],
    ['version', '1'],
    ['format', null],
  ])('is one whose manifest has a %s of %j', async (key, value) => {
    const path = copyOf((folder) => writeManifest(folder, { ...manifestOf(folder), [key]: value }));
    expect(await messageOf(path)).toMatch(/damaged/);
  });

  it.each(['progress', 'seed', 'engine', 'optimizer', 'scheduler', 'callbacks', 'metrics'])(
    'is one whose state lacks %s or has it wrong, though its hash is right',
    async (key) => {
      const state = JSON.parse(readFileSync(join(saved, 'state.json'), 'utf8')) as Record<string, unknown>;
      const { [key]: _, ...without } = state;
      for (const wrong of [without, { ...state, [key]: null }, { ...state, [key]: [5] }]) {
        const path = copyOf((folder) => replace(folder, 'state.json', JSON.stringify(wrong)));
        expect(await messageOf(path)).toMatch(new RegExp(`damaged: state\\.json: ${key}: `));
      }
    },
  );

  it('is listed as such beside a good one', async () => {
    const path = copyOf((folder) => writeManifest(folder, null));
    cpSync(saved, join(path, '..', 'good.ckpt'), { recursive: true });
    const { checkpoints, damaged } = await listCheckpoints(join(path, '..'));
    expect(checkpoints.map((checkpoint) => checkpoint.path)).toEqual([join(path, '..', 'good.ckpt')]);
    expect(damaged).toHaveLength(1);
  });
});

describe('the files of a checkpoint lie in it', () => {
  it.each(['../outside', 'artifacts/../../outside', '/etc/hostname', 'artifacts//x', '..', ''])(
    'whatever its manifest names: %j',
    async (name) => {
      const path = copyOf((folder) => {
        writeFileSync(join(folder, '..', 'outside'), 'secret');
        const manifest = manifestOf(folder);
        manifest.files[name] = record(join(folder, '..', 'outside'));
        writeManifest(folder, manifest);
      });
      expect(await messageOf(path)).toMatch(/is no name of a file in it/);
    },
  );

  it.skipIf(process.platform === 'win32')('and are not links, devices or folders', async () => {
    const linked = copyOf((folder) => {
      renameSync(join(folder, 'config.yaml'), join(folder, '..', 'outside'));
      symlinkSync(join(folder, '..', 'outside'), join(folder, 'config.yaml'));
    });
    expect(await messageOf(linked)).toMatch(/config\.yaml is a link/);
    const folderLinked = copyOf((folder) => {
      renameSync(join(folder, 'artifacts'), join(folder, '..', 'outside'));
      symlinkSync(join(folder, '..', 'outside'), join(folder, 'artifacts'));
    });
    expect(await messageOf(folderLinked)).toMatch(/artifacts\/vocabulary\.txt is a link/);
    const folder = copyOf((path) => {
      rmSync(join(path, 'config.yaml'));
      mkdirSync(join(path, 'config.yaml'));
    });
    expect(await messageOf(folder)).toMatch(/config\.yaml is not a regular file/);
  });
});
