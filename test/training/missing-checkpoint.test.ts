// What is said about a path that names no checkpoint.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resolveCheckpoint } from '../../src/training/index.js';
import { temporaryFolder } from './helpers.js';

const root = temporaryFolder();
const at = (...parts: string[]) => join(root, ...parts);
const names = ['toy--val_loss=0.5000-epoch=0-step=10.ckpt', 'toy--val_loss=0.4000-epoch=1-step=20.ckpt'];
for (const name of names) mkdirSync(at('runs/toy/v1/checkpoints', name), { recursive: true });
mkdirSync(at('runs/toy/v2/checkpoints', names[0]), { recursive: true });
utimesSync(at('runs/toy/v2/checkpoints', names[0]), 1e9, 1e9);
writeFileSync(at('runs/toy/v1/checkpoints', names[0], 'weights.safetensors'), '');
mkdirSync(at('empty'));

async function hintFor(path: string): Promise<string> {
  const error = await resolveCheckpoint(path).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'checkpoint.missing', position: { file: path } });
  return (error as { hint: string }).hint;
}

it('names what is nearly called so', async () => {
  expect(await hintFor(at('runs/tyo'))).toBe(`did you mean ${at('runs/toy')}?`);
  expect(await hintFor(at('rnus/toy/v1'))).toBe(`did you mean ${at('runs')}?`);
  const mistyped = names[1].replace('step=20', 'step=21');
  expect(await hintFor(at('runs/toy/v1/checkpoints', mistyped))).toBe(
    `did you mean ${at('runs/toy/v1/checkpoints', names[1])} or ${at('runs/toy/v1/checkpoints', names[0])}?`,
  );
});

it('lists the runs below a folder, newest first', async () => {
  expect(await hintFor(at('runs'))).toBe(
    `found in ${at('runs')}: ${at('runs/toy/v1')}, ${at('runs/toy/v2')}`,
  );
  expect(await hintFor(at('runs/elsewhere/entirely'))).toContain(`: ${at('runs/toy/v1')}, `);
});

it('lists the checkpoints beside a name that is like none of them', async () => {
  expect(await hintFor(at('runs/toy/v2/checkpoints/best.ckpt'))).toBe(
    `${at('runs/toy/v2/checkpoints')} has ${names[0]}`,
  );
});

it('says what to give where there is nothing, and instead of a file', async () => {
  expect(await hintFor(at('empty'))).toBe('give a folder that ends in .ckpt, or a run that contains some');
  const checkpoint = at('runs/toy/v1/checkpoints', names[0]);
  expect(await hintFor(join(checkpoint, 'weights.safetensors'))).toBe(`give ${checkpoint}`);
});
