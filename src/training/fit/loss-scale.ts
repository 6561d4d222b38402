// Loss scaling (Micikevicius et al. 2018): float16 holds no gradient below 6e-8, so the loss is multiplied before it is
// differentiated, and the gradients are divided after. The factor grows until gradients overflow, and shrinks when they do.
// Sources: PyTorch's GradScaler; Megatron-LM's DynamicGradScaler, which has hysteresis and a least scale.
import {
  defineSchema,
  type Format,
  type InferConfig,
  isMapping,
  type SectionInput,
} from '../../config/index.js';
import { didYouMean } from '../../errors/index.js';

const DEFAULTS = {
  pytorch: {
    init_scale: 2 ** 16,
    growth_factor: 2,
    backoff_factor: 0.5,
    growth_interval: 2000,
    hysteresis: 1,
    // A smaller one makes zeros of all gradients: it is the smallest number of float16.
    min_scale: 2 ** -24,
  },
  megatron: {
    init_scale: 2 ** 32,
    growth_factor: 2,
    backoff_factor: 0.5,
    growth_interval: 1000,
    hysteresis: 2,
    min_scale: 1,
  },
} as const;

type Defaults = keyof typeof DEFAULTS;

const ofDefaults = (key: keyof (typeof DEFAULTS)['pytorch']) =>
  `Default: ${DEFAULTS.pytorch[key]} (pytorch), ${DEFAULTS.megatron[key]} (megatron).`;

/** The schema of `trainer.loss_scale` where it is a mapping. */
export const lossScaleSchema = defineSchema(
  'trainer.loss_scale',
  {
    defaults: {
      doc: 'Whose values the other keys have where they are left out: pytorch, megatron.',
      format: ['pytorch', 'megatron'],
      default: 'pytorch',
    },
    init_scale: {
      doc: `The scale of the first step. ${ofDefaults('init_scale')}`,
      format: 'number',
      min: 2 ** -24,
      below: 2 ** 127,
      optional: true,
    },
    growth_factor: {
      doc: `What it is multiplied by when it grows. ${ofDefaults('growth_factor')}`,
      format: 'number',
      above: 1,
      optional: true,
    },
    backoff_factor: {
      doc: `What it is multiplied by after an overflow. ${ofDefaults('backoff_factor')}`,
      format: 'number',
      above: 0,
      below: 1,
      optional: true,
    },
    growth_interval: {
      doc: `Steps without overflow after which it grows. ${ofDefaults('growth_interval')}`,
      format: 'count',
      optional: true,
    },
    hysteresis: {
      doc: `Overflows since it last grew before it shrinks. ${ofDefaults('hysteresis')}`,
      format: 'count',
      optional: true,
    },
    min_scale: {
      doc: `An overflow at this scale ends the run, which names the first layer that overflows. ${ofDefaults('min_scale')}`,
      format: 'number',
      above: 0,
      optional: true,
    },
  },
  { doc: 'How the loss is scaled where products are computed in float16.' },
);

type Section = InferConfig<typeof lossScaleSchema>;

/** What `trainer.loss_scale` may be: a constant, whose defaults a dynamic scale has, or its keys. */
export type LossScaleOption = number | Defaults | 'dynamic' | Section;
export type LossScaleInput = number | Defaults | 'dynamic' | SectionInput<typeof lossScaleSchema>;

const WORDS: readonly string[] = ['dynamic', ...Object.keys(DEFAULTS)];
const isScale = (value: unknown): value is number => {
  const single = typeof value === 'number' ? Math.fround(value) : 0;
  return single > 0 && Number.isFinite(single);
};
const EXPECTED = `${WORDS.join(', ')}, a number above 0 for a constant scale, or a mapping of ${Object.keys(lossScaleSchema.fields).join(', ')}`;

/** The format of `trainer.loss_scale`. */
export const lossScaleFormat: Format<LossScaleOption, LossScaleInput> = {
  expected: EXPECTED,
  accepts: () => true,
  nested: lossScaleSchema.nested,
  check: (value, at) => {
    if (isMapping(value)) return lossScaleSchema.check(value, at);
    if (WORDS.includes(value as string)) return value as Defaults;
    if (isScale(value)) return value;
    at.report({
      message: `expected ${EXPECTED}, got ${JSON.stringify(value)}`,
      hint: typeof value === 'string' ? didYouMean(value, WORDS) : 'dynamic is a scale that finds itself',
    });
    return 'dynamic';
  },
  jsonSchema: () => ({
    anyOf: [{ enum: WORDS }, { type: 'number', exclusiveMinimum: 0 }, lossScaleSchema.jsonSchema()],
  }),
};

/** What a checkpoint keeps of a scale. */
export interface LossScaleState {
  readonly scale: number;
  /** Steps since it last changed, or since the last overflow. */
  readonly growthTracker: number;
  /** Overflows that it still bears before it shrinks. */
  readonly hysteresisTracker: number;
  /** Steps that changed nothing, in the whole run. */
  readonly skipped: number;
}

export type LossScaleSettings = Readonly<Record<keyof (typeof DEFAULTS)['pytorch'], number>>;

/** The factor of the loss, from one step to the next. */
export class LossScale {
  private current: LossScaleState;

  /** @param settings of a dynamic scale; a number is one that stays */
  constructor(private readonly settings: LossScaleSettings | number) {
    const scale = typeof settings === 'number' ? settings : settings.init_scale;
    const hysteresisTracker = typeof settings === 'number' ? 0 : settings.hysteresis;
    this.current = { scale: Math.fround(scale), growthTracker: 0, hysteresisTracker, skipped: 0 };
  }

  /** As `trainer.loss_scale` says. */
  static from(option: LossScaleOption): LossScale {
    if (typeof option === 'number') return new LossScale(option);
    if (typeof option === 'string') return new LossScale(DEFAULTS[option === 'dynamic' ? 'pytorch' : option]);
    const { defaults, ...given } = option;
    const settings = { ...DEFAULTS[defaults] } as Record<string, number>;
    for (const [key, value] of Object.entries(given))
      if (value !== undefined) settings[key] = value as number;
    return new LossScale(settings as unknown as LossScaleSettings);
  }

  get scale(): number {
    return this.current.scale;
  }

  get isDynamic(): boolean {
    return typeof this.settings !== 'number';
  }

  /** For messages: `65536, dynamic`. */
  describe(): string {
    return `${this.scale}, ${this.isDynamic ? 'dynamic' : 'constant'}`;
  }

  state(): LossScaleState {
    return this.current;
  }

  /** Goes on from a checkpoint's; a constant scale stays what it is. */
  restore(state: LossScaleState): void {
    if (this.isDynamic) this.current = { ...state };
  }

  /** After a step without overflow. */
  succeeded(): void {
    if (typeof this.settings === 'number') return;
    const { growth_interval, growth_factor, hysteresis } = this.settings;
    const growthTracker = this.current.growthTracker + 1;
    if (growthTracker < growth_interval) {
      this.current = { ...this.current, growthTracker };
      return;
    }
    const grown = Math.fround(this.scale * growth_factor);
    const scale = Number.isFinite(grown) ? grown : this.scale;
    this.current = { ...this.current, scale, growthTracker: 0, hysteresisTracker: hysteresis };
  }

  /**
   * After a step that overflowed, and changed nothing.
   * @param loss of the step: one that is not finite itself is so at any scale
   * @returns whether there is no smaller scale to go on with
   */
  overflowed(loss: number): boolean {
    if (typeof this.settings === 'number') return false;
    const { backoff_factor, min_scale } = this.settings;
    const hysteresisTracker = this.current.hysteresisTracker - 1;
    const isWornOut = hysteresisTracker <= 0;
    const least = Number.isFinite(loss) ? min_scale : Math.max(min_scale, 1);
    const isLeast = isWornOut && this.scale <= least;
    const scale = isWornOut ? Math.max(Math.fround(this.scale * backoff_factor), Math.min(this.scale, min_scale)) : this.scale; // biome-ignore format: one line reads better
    this.current = { scale, growthTracker: 0, hysteresisTracker, skipped: this.current.skipped + 1 };
    return isLeast;
  }
}
