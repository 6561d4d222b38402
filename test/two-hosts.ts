// Two hosts for tests of launchers, on one machine: network namespaces, joined by a cable. Processes in them share files and nothing
// else that a network would carry.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TwoHosts {
  /** Starts a command as one rank on each host, by Open MPI, as seen from the first of them. */
  readonly launch: readonly string[];
  /** Bytes that the first has received. */
  receivedBytes(): number;
  /** Takes the hosts away. */
  remove(): void;
}

const [FIRST, SECOND] = ['10.77.31.1', '10.77.31.2'];

/**
 * Undefined where they cannot be had: it takes root, iproute2 and Open MPI.
 * @param rate of the cable in both directions, as `tc` writes it: `1gbit`; default: as fast as it goes
 */
export function twoHosts(rate?: string): TwoHosts | undefined {
  const names = ['a', 'b'].map((letter) => `anemone-${process.pid}-${letter}`);
  const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' });
  const remove = () => {
    for (const name of names) ip('netns', 'delete', name);
  };
  const [a, b] = names;
  const steps = [
    ['netns', 'add', a],
    ['netns', 'add', b],
    ['link', 'add', 'cable', 'netns', a, 'type', 'veth', 'peer', 'name', 'cable', 'netns', b],
    ['-n', a, 'address', 'add', `${FIRST}/24`, 'dev', 'cable'],
    ['-n', b, 'address', 'add', `${SECOND}/24`, 'dev', 'cable'],
    ...names.flatMap((name) => ['cable', 'lo'].map((device) => ['-n', name, 'link', 'set', device, 'up'])),
  ];
  const limits = rate
    ? names.map(
        (name) => `netns exec ${name} tc qdisc add dev cable root tbf rate ${rate} burst 1mb latency 50ms`,
      )
    : [];
  const hasMpi = spawnSync('mpirun.openmpi', ['--version']).status === 0;
  if (
    !hasMpi ||
    [...steps, ...limits.map((limit) => limit.split(' '))].some((step) => ip(...step).status !== 0)
  ) {
    remove();
    return undefined;
  }
  return {
    launch: [
      ...[
        'ip',
        'netns',
        'exec',
        a,
        'mpirun.openmpi',
        '--bind-to',
        'none',
        '--host',
        `${FIRST}:1,${SECOND}:1`,
      ],
      ...['--mca', 'plm_rsh_agent', remoteShell(names)],
    ],
    receivedBytes: () => {
      const [link] = JSON.parse(ip('-n', a, '-s', '-j', 'link', 'show', 'cable').stdout);
      return link.stats64.rx.bytes;
    },
    remove,
  };
}

/** What stands for ssh: a program that is given a host and a command. */
function remoteShell([a, b]: readonly string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'two-hosts-')), 'remote-shell');
  const lines = [
    '#!/bin/sh',
    'host=$1',
    'shift',
    `case $host in ${FIRST}) name=${a};; *) name=${b};; esac`,
    'exec ip netns exec $name sh -c "$*"',
    '',
  ];
  writeFileSync(path, lines.join('\n'));
  chmodSync(path, 0o755);
  return path;
}
