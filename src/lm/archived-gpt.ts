// A Megatron GPT as NeMo's archive of it: the config with the names of the tokenizer's files.
import { basename } from 'node:path';
import { configFromValues, toYaml } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { type ArchivedConfig, saveArchive } from '../nemo/index.js';
import type { ReadState } from '../nn/index.js';
import { ByteTokenizer, type Tokenizer } from '../text/index.js';
import { gptSection } from './gpt-section.js';
import type { LanguageNetwork } from './network.js';

type Section = Readonly<Record<string, unknown>>;
type NameFile = (file: string, bytes: Uint8Array) => string;

/** What NeMo calls the class. */
const TARGET = 'nemo.collections.nlp.models.language_modeling.megatron_gpt_model.MegatronGPTModel';

/**
 * The archive's config, and the files that it names.
 * @param section the `model` section, whose `tokenizer` says of what kind it is
 * @param name gives a file its name in the archive
 */
export function archivedGpt(section: Section, tokenizer: Tokenizer, name: NameFile): ArchivedConfig {
  const artifacts = new Map<string, Uint8Array>();
  const { optim_param_groups: _, data: __, ...config } = section;
  const archivedTokenizer: Record<string, unknown> = { ...(config['tokenizer'] as Section) };
  for (const [file, bytes] of tokenizer.files()) {
    const member = name(file, bytes);
    const key = tokenizerKeyOf(file, archivedTokenizer);
    artifacts.set(key ? member : file, bytes);
    if (key) archivedTokenizer[key] = `nemo:${member}`;
  }
  const written = {
    ...config,
    target: TARGET,
    nemo_version: config['nemo_version'] ?? '1.23.0',
    tokenizer: archivedTokenizer,
  };
  return { yaml: toYaml(configFromValues(written)), artifacts };
}

/** Under which key of the section an archive names this file of the tokenizer; none for those that are found beside it. */
function tokenizerKeyOf(file: string, section: Record<string, unknown>): string | undefined {
  const keys = ['model', 'vocab_file', 'merge_file', 'tokenizer_file'];
  const written = keys.find((key) => typeof section[key] === 'string' && basename(section[key]) === file);
  if (written) return written;
  if (file === 'tokenizer.model') return 'model';
  return file === 'tokenizer.json' ? 'tokenizer_file' : undefined;
}

/**
 * Writes a network and its tokenizer as the archive of a MegatronGPTModel, wherever they came from.
 * @param section the one that the network was made of; default: one that describes it
 * @param instead values that take the place of a state's own, such as averaged weights
 * @throws AnemoneError `lm.no-nemo` for a network or a tokenizer that NeMo's keys do not describe, `lm.tokenizer`
 */
export async function saveGptArchive(
  path: string,
  { network, tokenizer, section }: { readonly network: LanguageNetwork; readonly tokenizer: Tokenizer; readonly section?: Section | undefined }, // biome-ignore format: one line
  engine: Pick<Engine, 'read'>,
  instead?: ReadState,
): Promise<void> {
  const { options, naming } = network;
  if (tokenizer.vocabSize > options.vocabulary)
    throw new AnemoneError({
      code: 'lm.tokenizer',
      message: `the tokenizer does not fit: it has ${tokenizer.vocabSize} tokens, the model ${options.vocabulary}`,
    });
  const described = section ?? {
    ...gptSection(options, naming, tokenizer.vocabSize),
    tokenizer: tokenizerSection(tokenizer),
  };
  const archive = {
    stateDict: () =>
      new Map([...network.stateDict()].map(([name, state]) => [inModel(name, network), state])),
    tiedNames: () => network.tiedNames(),
    nemoConfig: (name: NameFile) => archivedGpt(described, tokenizer, name),
  };
  await saveArchive(archive, path, engine, instead);
}

/** The name that a weight has in a MegatronGPTModel, where the network is called `model`. */
function inModel(name: string, { path }: LanguageNetwork): string {
  return path === '' ? `model.${name}` : name;
}

/** @throws AnemoneError `lm.no-nemo` */
function tokenizerSection(tokenizer: Tokenizer): Section {
  const files = [...tokenizer.files().keys()];
  if (tokenizer instanceof ByteTokenizer) return { library: 'byte-level' };
  if (files.includes('tokenizer.json')) return { library: 'huggingface' };
  if (files.includes('tokenizer.model')) return { library: 'sentencepiece' };
  throw new AnemoneError({
    code: 'lm.no-nemo',
    message: `NeMo's Megatron GPT has no such tokenizer: its files are ${files.join(', ') || 'none'}`,
  });
}
