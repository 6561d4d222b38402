// A user's TypeScript file: compiled, not run. Public types must be reachable and free of `any`.
import { AnemoneError, type Config, createEngine, type Engine, loadConfig, Trainer } from 'anemone-ml';
import { type HostTensor, State, type Tensor, tf } from 'anemone-ml/engine';
import { CounterRandom } from 'anemone-ml/random';

const engine: Engine = createEngine({ name: 'onnxruntime', provider: 'cpu', threads: 2 });
const scale = new State('scale', [1]);
const program = engine.compile('scaled', ({ x }: Record<string, Tensor>) => ({
  y: tf.mul(x, scale.tensor()),
}));
export const run = async (x: HostTensor): Promise<HostTensor> =>
  (await program.run({ x }, { random: new CounterRandom(1) })).y;

export const config: Config = loadConfig('conf/quickstart.yaml', ['trainer.max_epochs=3']);
export const makeTrainer = (section: ConstructorParameters<typeof Trainer>[0]): Trainer =>
  new Trainer(section);
export const code = (error: unknown): string => (error instanceof AnemoneError ? error.code : 'unexpected');

// @ts-expect-error a state's shape is a list
export const wrong = new State('x', 3);
