import { spawn, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { bundledProgram } from '../bundled-program.js';
import { skipUnless } from '../skipping.js';

const program = await bundledProgram(new URL('programs/rank.ts', import.meta.url));
const ENVIRONMENT = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

/** Debian's names; both can be installed side by side. */
const LAUNCHERS = {
  'Open MPI': ['mpirun.openmpi', '--oversubscribe', '--bind-to', 'none'],
  MPICH: ['mpirun.mpich'],
} as const;

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function run(
  kind: keyof typeof LAUNCHERS,
  ranks: number,
  plan: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [launcher, ...options] = LAUNCHERS[kind];
  const args = [...options, '-np', String(ranks), process.execPath, program, plan];
  const child = spawn(launcher, args, {
    env: { ...ENVIRONMENT, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, text }));
  });
}

describe.each(['Open MPI', 'MPICH'] as const)('ranks of %s', (kind) => {
  const found = spawnSync(LAUNCHERS[kind][0], ['--version']).status === 0;
  skipUnless(found, `${kind} is not installed`);

  it.each([1, 3])('conform: %i', async (ranks) => {
    const { code, text } = await run(kind, ranks, 'conform');
    expect(code, text).toBe(0);
  });

  it('send in several calls what is more than one may have', async () => {
    const { code, text } = await run(kind, 2, 'conform', { ANEMONE_MPI_MOST_ELEMENTS: '20000' });
    expect(code, text).toBe(0);
  });

  it('end when one does not come: who waits where for whom', async () => {
    const { code, text } = await run(kind, 3, 'absent');
    expect(code).not.toBe(0);
    const message =
      /ranks 0, 1 waited 4 s at the all-reduce of gradients for rank 2; rank 2 \(process \d+ on \S+\) was last at the barrier before the work /g;
    expect(text.match(message) ?? text).toHaveLength(1);
  });

  it('end when one is killed', async () => {
    expect((await run(kind, 2, 'die')).code).not.toBe(0);
  });

  it('notice a library of another MPI', async () => {
    const other = kind === 'MPICH' ? 'libmpi.so.40' : 'libmpich.so.12';
    const { code, text } = await run(kind, 2, 'work', { ANEMONE_MPI_LIBRARY: other });
    expect(code).toBe(2);
    expect(text.match(/^error: /gm)).toHaveLength(1);
    expect(text).toMatch(/each is alone in|can be opened/);
  });

  it('notice that there is no library', async () => {
    const { code, text } = await run(kind, 2, 'work', { ANEMONE_MPI_LIBRARY: 'libnone.so' });
    expect(code).toBe(2);
    expect(text.match(/^error: this process was started by a launcher of /gm)).toHaveLength(1);
  });
});
