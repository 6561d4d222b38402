// Where the nodes of an optimizer step run on webgpu, how many copies are in it, and how many bytes cross in each step; losses
// beside those of the CPU.
// Usage: npx tsx benchmarks/webgpu-step.ts [STEPS]   (docs/engines.md says how to have a device in software)
// Times of a device in software say nothing of others and are not printed.
import {
  EncDecCTCModel,
  EncDecHybridRNNTCTCModel,
  EncDecRNNTModel,
  type SpeechModel,
} from '../src/asr/index.js';
import { type Engine, type HostTensors, OnnxEngine, type Placement } from '../src/engine/index.js';
import { createOptimizer } from '../src/optim/index.js';
import { CounterRandom } from '../src/random/index.js';
import { StepPrograms } from '../src/training/fit/step-programs.js';
import { multitask, promptedInputs, SMALL } from '../test/asr/families.js';
import { tinyModel } from '../test/asr/support.js';
import { batchOf } from '../test/asr/training.js';

const modules = 'nemo.collections.asr.modules';
const ctc = { _target_: `${modules}.ConvASRDecoder`, feat_in: null, num_classes: -1 };
const conformer = {
  _target_: `${modules}.ConformerEncoder`, feat_in: 16, n_layers: 2, d_model: 32, n_heads: 4, conv_kernel_size: 9,
  subsampling: 'striding', subsampling_factor: 8, subsampling_conv_channels: 8, dropout: 0.05, dropout_att: 0.05,
}; // biome-ignore format: a table
const durations = [0, 1, 2, 3, 4];
const tdt = {
  joint: { _target_: `${modules}.RNNTJoint`, jointnet: { joint_hidden: 16, activation: 'relu', dropout: 0 }, num_extra_outputs: 5 },
  loss: { loss_name: 'tdt', tdt_kwargs: { fastemit_lambda: 0, clamp: -1, durations, sigma: 0.02, omega: 0 } },
  decoding: { strategy: 'greedy_batch', model_type: 'tdt', durations },
}; // biome-ignore format: a table
const texts = ['abc', 'ca', 'bb', 'cab'];

type Made = { readonly model: SpeechModel; readonly inputs: HostTensors };
const spoken = (model: SpeechModel): Made => ({ model, inputs: batchOf(model, texts).inputs });
const kinds: Readonly<Record<string, (engine: Engine) => Made>> = {
  'Conformer-CTC': (engine) =>
    spoken(EncDecCTCModel.fromConfig(tinyModel({ encoder: conformer, decoder: ctc, joint: undefined }), { seed: 1, engine })),
  'Conformer-Transducer': (engine) =>
    spoken(EncDecRNNTModel.fromConfig(tinyModel({ encoder: conformer }), { seed: 1, engine })),
  'Conformer-TDT with CTC': (engine) => {
    const changes = { ...tdt, encoder: conformer, aux_ctc: { ctc_loss_weight: 0.5, decoder: ctc } };
    return spoken(EncDecHybridRNNTCTCModel.fromConfig(tinyModel(changes), { seed: 1, engine }));
  },
  'Transformer decoder': (engine) => ({ model: multitask(engine, 16), inputs: promptedInputs(SMALL) }),
}; // biome-ignore format: one model a line

const [steps = 3] = process.argv.slice(2).map(Number);

async function run(provider: string, make: (engine: Engine) => Made) {
  const placement: Placement = {};
  const engine = new OnnxEngine({
    provider,
    threads: 2,
    onPlacement: (_, found) => Object.assign(placement, found),
  });
  const { model, inputs } = make(engine);
  const optimizer = createOptimizer({ name: 'adamw', lr: 0.002 }, model.parameters());
  const programs = new StepPrograms(engine, model, optimizer, { algorithm: 'norm', limit: 5 });
  const batch = { inputs, size: inputs['featureLengths'].data.length, units: 1, names: [], texts: [] };
  const losses: number[] = [];
  let [up, down] = [0, 0];
  for (let step = 1; step <= steps; step++) {
    [up, down] = [engine.stats.bytesToDevice, engine.stats.bytesToHost];
    const micro = { batch, random: new CounterRandom(step) };
    losses.push(
      (
        await programs.run(
          [micro],
          optimizer.scalars(step, (lr) => lr),
        )
      ).loss,
    );
  }
  const stats = { ...engine.stats };
  const states = [...model.parameters(), ...optimizer.slots].reduce((sum, { size }) => sum + 4 * size, 0);
  const batchBytes = Object.values(inputs).reduce((sum, { data }) => sum + data.byteLength, 0);
  await engine.dispose();
  return {
    placement,
    losses,
    up: stats.bytesToDevice - up,
    down: stats.bytesToHost - down,
    states,
    batchBytes,
  };
}

const sum = (counts: Readonly<Record<string, number>> = {}) =>
  Object.values(counts).reduce((a, b) => a + b, 0);
for (const [name, make] of Object.entries(kinds)) {
  const wanted = await run('cpu', make);
  const found = await run('webgpu', make);
  const { webgpu = {}, cpu = {} } = found.placement;
  const copies = (webgpu['MemcpyToHost'] ?? 0) + (webgpu['MemcpyFromHost'] ?? 0);
  const apart = found.losses.map((loss, i) => Math.abs(loss / wanted.losses[i] - 1));
  console.log(
    `${name}: ${sum(webgpu) - copies} nodes on the device, ${sum(cpu)} on the CPU, ${copies} copies; a step of ` +
      `${found.batchBytes} bytes in the batch and ${found.states} in states sends ${found.up} and gets ${found.down}; ` +
      `losses ${found.losses.map((loss) => loss.toFixed(5)).join(' ')}, from the CPU's by ${Math.max(...apart).toExponential(1)}`,
  );
}
