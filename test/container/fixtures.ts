// Small components and services that the container's tests share, run under vitest and, by name, under tsx.

import { componentConfig, defineSchema } from '../../src/config/index.js';
import {
  type BuildContext,
  Container,
  component,
  defineKind,
  inject,
  token,
} from '../../src/container/index.js';

export interface Encoder {
  readonly width: number;
}
export const encoderKind = defineKind<Encoder>('encoder');

export const conformer = component({
  kind: encoderKind,
  name: 'ConformerEncoder',
  aliases: ['nemo.collections.asr.modules.ConformerEncoder'],
  schema: defineSchema(
    'ConformerEncoder',
    {
      d_model: { doc: 'Width.', format: 'int', min: 1 },
      feat_in: { doc: 'Input features.', format: 'int', default: 80 },
    },
    { ignored: { sync_max_audio_length: 'lengths are known on every rank' } },
  ),
  create: (config): Encoder => ({ width: config.d_model }),
});

export const tokenizer = component({
  kind: 'tokenizer',
  name: 'bpe',
  schema: defineSchema('bpe', { dir: { doc: 'Folder.', format: 'string' } }),
  create: (config) => config.dir,
});

export const adamw = component({
  kind: 'optimizer',
  name: 'adamw',
  schema: defineSchema('adamw', { lr: { doc: 'Learning rate.', format: 'number' } }),
  create: (config) => ({ lr: config.lr }),
});

/** A model that builds its encoder itself. */
export const model = component({
  kind: 'model',
  name: 'TinyModel',
  schema: defineSchema('TinyModel', {
    encoder: { doc: 'Encoder.', format: componentConfig('encoder') },
    optim: { doc: 'Optimizer.', format: componentConfig('optimizer', { nameKey: 'name' }) },
  }),
  create: (config, context: BuildContext) => ({
    encoder: context.instantiate(config.encoder, encoderKind, { with: { feat_in: 64 } }),
    optim: context.instantiate(config.optim, 'optimizer', { nameKey: 'name' }),
  }),
});

export const CLOCK = token<() => number>('clock');
export const NAME = token<string>('name');
export const GREETER = token<Greeter>('greeter');

export class Greeter {
  constructor(
    @inject(CLOCK) readonly clock: () => number,
    @inject(NAME) readonly name: string,
  ) {}
}

/** The same without decorators. */
export class PlainGreeter {
  constructor(
    readonly clock: () => number,
    readonly name: string,
  ) {}
}
export const PLAIN_GREETER = token<PlainGreeter>('plain-greeter');

export class HalfMarked {
  constructor(
    @inject(CLOCK) readonly clock: () => number,
    readonly name: Greeter,
  ) {}
}

/** A container with everything above in it. */
export function fullContainer(): Container {
  return new Container()
    .registerAll([conformer, tokenizer, adamw, model])
    .registerFactory(CLOCK, () => () => 7)
    .registerValue(NAME, 'anemone')
    .registerClass(GREETER, Greeter)
    .registerClass(PLAIN_GREETER, PlainGreeter, [CLOCK, NAME]);
}
