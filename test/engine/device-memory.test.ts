// States on the device of the webgpu provider: where they are, when they cross, and that nothing of them is lost or left behind.
import { describe, expect, it } from 'vitest';
import { skipUnless } from '../skipping.js';
import { takeWay, WAYS } from './ways.js';
import { webgpuWorks } from './webgpu.js';

const works = await webgpuWorks();
const { float32, int32, OnnxEngine, scan, State, tf } = await import('../../src/engine/index.js');

const SIZE = 48;
const start = () => Float32Array.from({ length: SIZE }, (_, i) => i);
const state = (name: string) => new State(name, [6, 8], 'float32', start);
const makeEngine = () => new OnnxEngine({ provider: 'webgpu', threads: 1, onPlacement: () => {} });
const scalar = (value: number) => float32([value], []);

/** Adds its input to a state; its loss is their sum. */
function counter(engine: InstanceType<typeof OnnxEngine>, weight: InstanceType<typeof State>) {
  return engine.compile(
    'count',
    ({ x }) => {
      const sum = tf.add(weight.tensor(), tf.mean(x));
      weight.assign(sum);
      return { loss: tf.sum(sum) };
    },
    { maxSignatures: 1 },
  );
}

describe.each(WAYS)('states on the device, by %s', (way) => {
  takeWay(way);
  skipUnless(works, 'no Vulkan driver answers (Debian: chromium and libvulkan1 bring one in software)');

  it('cross when they are first read and when somebody reads them, not between', async () => {
    const engine = makeEngine();
    const weight = state('w');
    const program = counter(engine, weight);
    for (let step = 0; step < 5; step++) await program.run({ x: scalar(1) });
    // The state once, and five inputs; five losses.
    expect(engine.stats).toMatchObject({ bytesToDevice: 4 * (SIZE + 5), bytesToHost: 4 * 5 });
    expect([...(await engine.read(weight))]).toEqual([...start()].map((v) => v + 5));
    expect(engine.stats.bytesToHost).toBe(4 * (5 + SIZE));
    await engine.dispose();
  });

  it('keep their values when a run is refused, when the code that wrote them is gone, and when they are written', async () => {
    const engine = makeEngine();
    const weight = state('w');
    const program = counter(engine, weight);
    await program.run({ x: scalar(1) });
    await program.run({ x: scalar(1) }, { commitIf: () => false });
    expect((await engine.read(weight))[3]).toBe(4);
    // Another signature takes the place of the first, whose session is released.
    await program.run({ x: float32([1, 1], [2]) });
    await program.run({ x: float32([1, 1, 1], [3]) });
    expect(engine.stats.evictions).toBe(2);
    expect((await engine.read(weight))[3]).toBe(6);
    await engine.write(weight, new Float32Array(SIZE));
    expect((await engine.read(weight))[3]).toBe(0);
    const { loss } = await program.run({ x: scalar(1) });
    expect(loss.data[0]).toBe(SIZE);
    program.dispose();
    expect((await engine.read(weight))[3]).toBe(1);
    await engine.dispose();
  });

  it('are read by other programs where they are', async () => {
    const engine = makeEngine();
    const weight = state('w');
    await counter(engine, weight).run({ x: scalar(1) });
    const before = engine.stats.bytesToDevice;
    const sum = engine.compile('sum', () => ({ y: tf.sum(weight.tensor()) }));
    const { y } = await sum.run({});
    expect(y.data[0]).toBe([...start()].reduce((a, v) => a + v + 1, 0));
    expect(engine.stats.bytesToDevice).toBe(before);
    await engine.dispose();
  });

  it('are freed when nobody has them any more, and when the engine ends', async () => {
    for (let round = 0; round < 3; round++) {
      const engine = makeEngine();
      for (let i = 0; i < 4; i++) {
        const weight = state(`w${i}`);
        await counter(engine, weight).run({ x: scalar(1) });
        engine.release([weight]);
      }
      await counter(engine, state('last')).run({ x: scalar(1) });
      // What was released is freed before the next state is placed: the last has two tensors.
      expect(engine.deviceBytes).toBe(2 * 4 * SIZE);
      await engine.dispose();
      expect(engine.deviceBytes).toBe(0);
    }
  });

  it('of types that the device does not hold stay on the host', async () => {
    const engine = makeEngine();
    const flags = new State('flags', [4], 'bool', () => Uint8Array.of(1, 0, 1, 0));
    const steps = new State('steps', [], 'int32');
    const program = engine.compile('flip', () => {
      flags.assign(tf.logicalNot(flags.tensor()));
      steps.assign(tf.add(steps.tensor(), tf.scalar(1, 'int32')));
      return {};
    });
    for (let i = 0; i < 3; i++) await program.run({});
    expect([...(await engine.read(flags))]).toEqual([0, 1, 0, 1]);
    expect([...(await engine.read(steps))]).toEqual([3]);
    await engine.dispose();
  });
});

describe('a loop on webgpu', () => {
  skipUnless(works, 'no Vulkan driver answers (Debian: chromium and libvulkan1 bring one in software)');

  const WIDTH = 4;
  it.each([
    ['short', 9, false],
    ['short, from the end', 9, true],
    ['long', 4000, false],
  ])('that is %s runs on one side alone', async (_name, steps, reverse) => {
    const placements: object[] = [];
    const x = float32(
      Float32Array.from({ length: steps * WIDTH }, (_, i) => Math.sin(i)),
      [steps, WIDTH],
    );
    const lengths = int32([steps >> 1, steps, 1, steps - 1], [WIDTH]);
    const results = [];
    for (const provider of ['cpu', 'webgpu']) {
      const engine = new OnnxEngine({
        provider,
        threads: 1,
        onPlacement: (_, found) => placements.push(found),
      });
      const program = engine.compile('loop', ({ x, lengths }) => {
        const time = tf.range(0, steps, 1, 'int32');
        const { carry, ys } = scan(
          ([sum], [slice, at]) => {
            const next = tf.where(tf.less(at, lengths), tf.add(tf.mul(sum, 0.5), slice), sum);
            return { carry: [next], ys: [tf.square(next), tf.sum(next), tf.less(next, 0)] };
          },
          [tf.zeros([WIDTH])],
          [x, time],
          reverse ? { reverse: true } : {},
        );
        return { last: carry[0], squares: ys[0], sums: ys[1], signs: ys[2] };
      });
      results.push(await program.run({ x, lengths }));
      await engine.dispose();
    }
    const [wanted, found] = results;
    for (const key of ['last', 'squares', 'sums', 'signs']) {
      expect(found[key].shape).toEqual(wanted[key].shape);
      for (const [i, v] of found[key].data.entries()) expect(v).toBeCloseTo(wanted[key].data[i], 5);
    }
    const [placement] = placements as { cpu?: Record<string, number>; webgpu?: Record<string, number> }[];
    const copies = Object.keys(placement.webgpu ?? {}).filter((op) => /^Memcpy/.test(op));
    if (steps < 100) expect([placement.cpu, copies]).toEqual([undefined, []]);
    else {
      expect(placement.cpu).toMatchObject({ Scan: 1, Add: 1, Where: 1 });
      // Nothing of the body is on the device.
      expect(placement.webgpu).not.toHaveProperty('Where');
    }
  });
});
