// Runs a program that reaches nothing but npm's registry, or nothing at all, as on a machine behind a strict firewall.
// On Linux it gets a network namespace of its own, out of which a socket in the file system leads to a proxy that
// knows one host. Where namespaces are not to be had, the proxy settings alone point at it, which a program may ignore.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const windows = process.platform === 'win32';
const npm = windows ? 'npm.cmd' : 'npm';

/** Words that put a program into a network of its own; none where the system does not allow it. */
const namespace = [
  ['unshare', '-n'],
  ['unshare', '-rn'],
].find(([program, ...flags]) => spawnSync(program, [...flags, 'ip', 'link', 'set', 'lo', 'up']).status === 0);

/** Whether programs are kept from the network by the system, not by settings alone. */
export const isSealed = namespace !== undefined;

/**
 * Runs a program without network.
 * @returns what it printed on standard output, and its exit code
 */
export function runOffline(command, args, options = {}) {
  const [program, ...rest] = [...(namespace ?? []), command, ...args];
  return spawned(program, rest, options);
}

/**
 * Runs a program that reaches npm's registry alone.
 * @throws where it asked the proxy for another host
 */
export async function runWithNpmOnly(command, args, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-npm-'));
  const proxy = registryProxy(new URL(npmSetting('registry')));
  const socket = join(folder, 'proxy');
  await new Promise((done) => proxy.server.listen(namespace ? socket : { port: 0, host: '127.0.0.1' }, done));
  try {
    const result = namespace
      ? await spawned(
          namespace[0],
          [...namespace.slice(1), process.execPath, self, socket, command, ...args],
          options,
        )
      : await spawned(command, args, { ...options, env: proxied(options.env, proxy.server.address().port) });
    if (proxy.refused.size > 0) {
      throw new Error(
        `${command} ${args.join(' ')} asked for hosts outside npm: ${[...proxy.refused].join(', ')}`,
      );
    }
    return result;
  } finally {
    proxy.server.closeAllConnections();
    proxy.server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A setting of npm for this user and machine, not of the folder that we are in. */
function npmSetting(name) {
  const text = execFileSync(npm, ['config', 'get', name], {
    cwd: tmpdir(),
    encoding: 'utf8',
    shell: windows,
  }).trim();
  return text === 'null' || text === 'undefined' ? '' : text;
}

function spawned(command, args, { echo = true, ...options }) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (echo) process.stdout.write(chunk);
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
      if (echo) process.stderr.write(chunk);
    });
    child.on('error', fail);
    child.on('close', (code) => done({ code, output, errors }));
  });
}

/** A proxy that leads to `registry` alone, by the machine's own proxy where there is one; `refused` fills with the rest. */
function registryProxy(registry) {
  const refused = new Set();
  const port = (url) => Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const target = `${registry.hostname}:${port(registry)}`;
  const upstream = npmSetting(registry.protocol === 'https:' ? 'https-proxy' : 'proxy');
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url, registry);
    if (`${url.hostname}:${port(url)}` !== target)
      return refuse(url.host, () => outgoing.writeHead(403).end());
    const { method, headers } = incoming;
    const via = upstream ? new URL(upstream) : url;
    const path = upstream ? url.href : url.pathname + url.search;
    const onward = request({ host: via.hostname, port: port(via), path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  server.on('connect', ({ url }, client) => {
    if (url !== target) return refuse(url, () => client.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    if (upstream) {
      const via = new URL(upstream);
      joinSockets(
        client,
        connect(port(via), via.hostname),
        `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`,
      );
    } else {
      const onward = connect(port(registry), registry.hostname, () =>
        client.write('HTTP/1.1 200 OK\r\n\r\n'),
      );
      joinSockets(client, onward);
    }
  });
  const refuse = (host, answer) => {
    refused.add(host);
    answer();
  };
  return { server, refused };
}

/** Pipes two sockets into each other until one ends. */
function joinSockets(a, b, first = '') {
  if (first) b.write(first);
  a.pipe(b).pipe(a);
  for (const [socket, other] of [
    [a, b],
    [b, a],
  ])
    socket.on('error', () => other.destroy());
}

/** The environment in which programs find the proxy. */
function proxied(env = process.env, port) {
  const url = `http://127.0.0.1:${port}`;
  const names = [
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'http_proxy',
    'https_proxy',
    'npm_config_proxy',
    'npm_config_https_proxy',
  ];
  const none = ['NO_PROXY', 'no_proxy', 'npm_config_noproxy'];
  return {
    ...env,
    ...Object.fromEntries(names.map((name) => [name, url])),
    ...Object.fromEntries(none.map((name) => [name, ''])),
  };
}

/** Inside the namespace: brings the loopback up, leads a port of it to the socket, runs the program. */
function inside(socket, command, args) {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const relay = createTcpServer((client) => joinSockets(client, connect(socket)));
  relay.listen(0, '127.0.0.1', () => {
    const env = proxied(process.env, relay.address().port);
    spawn(command, args, { stdio: 'inherit', env }).on('close', (code) => process.exit(code ?? 1));
  });
}

if (process.argv[1] === self) {
  const [socket, command, ...args] = process.argv.slice(2);
  inside(socket, command, args);
}
