// The prompts of NeMo's multitask models.
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { CANARY_BOS, CANARY_CONTEXT, type PromptTokenizer, specialToken } from './special-tokens.js';

/** Values of a prompt's slots by name, such as `{source_lang: 'en', target_lang: 'de', pnc: 'yes'}`. */
export type PromptSlots = Readonly<Record<string, string>>;

/** The formats that NeMo's `prompt_format` may name: Canary's of 2024 and of 2025. */
export const PROMPT_FORMATS = ['canary', 'canary2'] as const;
/** One of {@link PROMPT_FORMATS}. */
export type PromptFormatName = (typeof PROMPT_FORMATS)[number];

const YES = ['yes', 'Yes', 'true', 'True', '1'];
const NO = ['no', 'No', 'false', 'False', '0'];
const TRANSCRIBE = ['asr', 'transcribe', '<|transcribe|>'];
const TRANSLATE = ['ast', 'translate', 's2t_translation', '<|translate|>'];

/** The special token of a slot's value; undefined for a value that the slot does not take. */
type ToToken = (value: string) => string | undefined;

const language: ToToken = (value) => (value === '' ? undefined : specialToken(value));

const task: ToToken = (value) => {
  if (TRANSCRIBE.includes(value)) return '<|transcribe|>';
  return TRANSLATE.includes(value) ? '<|translate|>' : undefined;
};

function flag(name: string): ToToken {
  const [on, off] = [`<|${name}|>`, `<|no${name}|>`];
  return (value) => {
    if ([...YES, name, on].includes(value)) return on;
    return [...NO, `no${name}`, off].includes(value) ? off : undefined;
  };
}

const emotion: ToToken = (value) =>
  ['undefined', 'neutral', 'angry', 'happy', 'sad'].map((mood) => `<|emo:${mood}|>`).find((t) => t === value);

interface Format {
  /** Slots in the order of the prompt, after the begin of the transcript. */
  readonly slots: Readonly<Record<string, ToToken>>;
  /** What slots are when nobody says anything. */
  readonly defaults: PromptSlots;
  /** The prompt starts with a context, a text in the target language. */
  readonly context: boolean;
  readonly allowed: PromptSlots;
}

const flags = 'yes or no';
const allowedValues: PromptSlots = {
  task: [...TRANSCRIBE, ...TRANSLATE].join(', '),
  emotion: '<|emo:undefined|>, <|emo:neutral|>, <|emo:angry|>, <|emo:happy|> or <|emo:sad|>',
  pnc: flags,
  itn: flags,
  timestamp: flags,
  diarize: flags,
};

const FORMATS: Readonly<Record<PromptFormatName, Format>> = {
  canary: {
    slots: { source_lang: language, task, target_lang: language, pnc: flag('pnc') },
    defaults: {},
    context: false,
    allowed: allowedValues,
  },
  canary2: {
    slots: {
      emotion,
      source_lang: language,
      target_lang: language,
      pnc: flag('pnc'),
      itn: flag('itn'),
      timestamp: flag('timestamp'),
      diarize: flag('diarize'),
    },
    defaults: {
      decodercontext: '',
      emotion: '<|emo:undefined|>',
      pnc: 'yes',
      itn: 'no',
      timestamp: 'no',
      diarize: 'no',
    },
    context: true,
    allowed: allowedValues,
  },
};

/** What NeMo's `transcribe` fills in for recordings that say nothing. */
export const TRANSCRIBE_DEFAULTS: PromptSlots = {
  source_lang: 'en',
  target_lang: 'en',
  task: 'asr',
  pnc: 'yes',
};

/**
 * What a multitask model is told before it writes: NeMo's prompt formats `canary` and `canary2`. From slots
 * (source_lang, target_lang, task, pnc, …) to the ids of a prompt.
 */
export class PromptFormat {
  private readonly format: Format;

  /** @param defaults take the place of the format's own: the slots of NeMo's `prompt_defaults` for the role user */
  constructor(
    readonly name: PromptFormatName,
    private readonly defaults: PromptSlots = {},
  ) {
    this.format = FORMATS[name];
  }

  /** Names of the slots. `taskname` is another name of `task`. */
  get slots(): readonly string[] {
    return [...(this.format.context ? ['decodercontext'] : []), ...Object.keys(this.format.slots)];
  }

  /** Keys of a manifest that say something about a prompt. */
  get manifestKeys(): readonly string[] {
    return [...this.slots, ...(this.slots.includes('task') ? ['taskname'] : [])];
  }

  /** `given` under the slots' own names, with defaults; slots that nobody gave are absent. */
  complete(givenSlots: PromptSlots, fallback: PromptSlots = {}): PromptSlots {
    const { taskname, ...rest } = givenSlots;
    const namedSlots =
      taskname !== undefined && rest['task'] === undefined ? { ...rest, task: taskname } : rest;
    const allSlots = { ...this.format.defaults, ...fallback, ...this.defaults, ...namedSlots };
    return Object.fromEntries(Object.entries(allSlots).filter(([slot]) => this.slots.includes(slot)));
  }

  /**
   * Ids of the prompt.
   * Throws `text.prompt-slot` for a slot that is missing or has a value it does not take, `text.unknown-token`.
   */
  encode(slots: PromptSlots, tokenizer: PromptTokenizer): number[] {
    const missingSlots = this.slots.filter((slot) => slots[slot] === undefined);
    if (missingSlots.length > 0) {
      throw new AnemoneError({
        code: 'text.prompt-slot',
        message: `the prompt format ${this.name} needs ${missingSlots.join(', ')}`,
        hint: 'give these keys in the manifest, or model.prompt_defaults',
      });
    }
    const tokens = Object.entries(this.format.slots).map(([slot, toToken]) => {
      const token = toToken(slots[slot]);
      if (token !== undefined) return token;
      throw new AnemoneError({
        code: 'text.prompt-slot',
        message: `${slot} cannot be "${slots[slot]}"`,
        hint: `expected ${this.format.allowed[slot] ?? 'a language, such as en'}`,
      });
    });
    return this.format.context
      ? tokenizer.encodePrompt({
          tokens: [CANARY_CONTEXT, CANARY_BOS, ...tokens],
          context: slots['decodercontext'],
          lang: slots['target_lang'].replace(/^<\|(.*)\|>$/s, '$1'),
        })
      : tokenizer.encodePrompt({ tokens: [CANARY_BOS, ...tokens] });
  }
}

/** Throws `text.prompt-format` for a name that is none. */
export function promptFormat(name: string, defaults?: PromptSlots): PromptFormat {
  if ((PROMPT_FORMATS as readonly string[]).includes(name)) {
    return new PromptFormat(name as PromptFormatName, defaults);
  }
  throw new AnemoneError({
    code: 'text.prompt-format',
    path: 'model.prompt_format',
    message: `there is no prompt format "${name}"`,
    hint: didYouMean(name, PROMPT_FORMATS) ?? `one of ${PROMPT_FORMATS.join(', ')}`,
  });
}
