// A cluster of Slurm for tests: its daemons on this machine, which is its only node, in a folder of their own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Slurm {
  /** For `srun`, `scancel` and `squeue`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the daemons. */
  remove(): void;
}

/** How long the daemons may take to begin. */
const SECONDS = 30;

/** Undefined where it cannot be had: it takes root, Slurm and munge, and that a step runs. */
export async function slurm(): Promise<Slurm | undefined> {
  const programs = ['slurmctld', 'slurmd', 'munged', 'srun'];
  const areThere = programs.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
  if (process.getuid?.() !== 0 || !areThere) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'slurm-'));
  const at = (name: string) => join(folder, name);
  writeFileSync(at('munge.key'), Buffer.alloc(1024, 7), { mode: 0o600 });
  writeFileSync(at('slurm.conf'), configuration(folder));
  const daemons: ChildProcess[] = [];
  const start = (command: string, ...args: string[]) =>
    daemons.push(spawn(command, args, { stdio: 'ignore' }));
  const files = [
    `--socket=${at('munge')}`,
    `--pid-file=${at('munge.pid')}`,
    `--seed-file=${at('munge.seed')}`,
  ];
  start(
    'munged',
    '--foreground',
    '--force',
    `--key-file=${at('munge.key')}`,
    `--log-file=${at('munge.log')}`,
    ...files,
  );
  start('slurmctld', '-D', '-f', at('slurm.conf'));
  start('slurmd', '-D', '-f', at('slurm.conf'));
  const environment = { SLURM_CONF: at('slurm.conf') };
  const remove = () => {
    for (const daemon of daemons) daemon.kill('SIGTERM');
  };
  for (let second = 0; second < SECONDS; second++) {
    const { stdout } = spawnSync('sinfo', ['-h', '-o', '%t'], {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    });
    if (stdout?.trim() === 'idle') {
      const options = { env: { ...process.env, ...environment }, timeout: 1000 * SECONDS };
      if (spawnSync('srun', ['--mpi=pmix', '-n', '1', 'true'], options).status === 0)
        return { environment, remove };
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  remove();
  return undefined;
}

function configuration(folder: string): string {
  const port = 20_000 + (process.pid % 20_000);
  const host = hostname();
  return `ClusterName=anemone
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmdPort=${port + 1}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
MpiDefault=none
ReturnToService=2
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
`;
}
