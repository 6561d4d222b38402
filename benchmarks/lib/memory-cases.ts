// The training runs whose memory is estimated and measured: configs of conf/, sizes and batches. What they train on is noise.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeWav } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { trainSpecialTokenizer, trainTokenizerFolder } from '../../src/text/index.js';
import { RATE, waveform } from './waveforms.js';

/** A run: a config, what is changed in it, and batches of utterances that are all alike. */
export interface MemoryCase {
  readonly name: string;
  readonly config: string;
  readonly overrides: readonly string[];
  readonly batch: number;
  readonly seconds: number;
  /** Words of a transcript. */
  readonly words: number;
}

const CONFORMER = 'conf/asr/conformer';
const MEDIUM = ['model.encoder.d_model=256', 'model.encoder.n_heads=4', 'model.encoder.n_layers=16'];

export const CASES: readonly MemoryCase[] = [
  { name: 'quickstart, TDT and CTC', config: 'conf/quickstart.yaml', overrides: ['~model.train_ds.augmentor.speed'], batch: 16, seconds: 7, words: 8 },
  { name: 'quickstart, TDT and CTC', config: 'conf/quickstart.yaml', overrides: ['~model.train_ds.augmentor.speed'], batch: 128, seconds: 7, words: 8 },
  { name: 'Conformer-M CTC', config: `${CONFORMER}/conformer_ctc_bpe.yaml`, overrides: MEDIUM, batch: 4, seconds: 8, words: 16 },
  { name: 'Conformer-M CTC', config: `${CONFORMER}/conformer_ctc_bpe.yaml`, overrides: MEDIUM, batch: 16, seconds: 12, words: 24 },
  { name: 'Conformer-L RNN-T', config: `${CONFORMER}/conformer_transducer_bpe.yaml`, overrides: [], batch: 4, seconds: 8, words: 16 },
  { name: 'Conformer-M TDT', config: `${CONFORMER}/tdt/conformer_tdt_bpe.yaml`, overrides: MEDIUM, batch: 8, seconds: 8, words: 16 },
  { name: 'FastConformer-M RNN-T and CTC', config: 'conf/asr/fastconformer/fastconformer_hybrid_transducer_ctc_bpe.yaml', overrides: MEDIUM, batch: 16, seconds: 10, words: 20 },
  {
    name: 'FastConformer with attention decoder',
    config: 'conf/asr/speech_multitask/fast-conformer_aed.yaml',
    overrides: [
      'model.model_defaults.asr_enc_hidden=256', 'model.encoder.n_layers=8', 'model.model_defaults.lm_dec_hidden=256',
      'model.transf_decoder.config_dict.num_layers=4', 'model.encoder.n_heads=4',
    ],
    batch: 8, seconds: 10, words: 20,
  },
  { name: 'QuartzNet 15x5 CTC', config: 'conf/asr/quartznet/quartznet_15x5.yaml', overrides: [], batch: 8, seconds: 10, words: 20 },
  { name: 'Citrinet-512 CTC', config: 'conf/asr/citrinet/citrinet_512.yaml', overrides: [], batch: 4, seconds: 8, words: 16 },
  { name: 'LSTM CTC, 4 × 512', config: 'conf/asr/lstm/lstm_ctc_bpe.yaml', overrides: ['model.encoder.n_layers=4', 'model.encoder.d_model=512', 'model.encoder.proj_size=320'], batch: 16, seconds: 8, words: 16 },
]; // biome-ignore format: a table

const SYLLABLES = ['ba', 'de', 'fi', 'go', 'ku', 'la', 'me', 'ni', 'po', 'ru', 'sa', 'te', 'vi', 'wo', 'zu'];

function text(words: number, random: CounterRandom): string {
  const word = (i: number) =>
    Array.from({ length: 2 }, (_, k) => SYLLABLES[random.integer(10 * i + k, SYLLABLES.length)]).join('');
  return Array.from({ length: words }, (_, i) => word(i)).join(' ');
}

/** Makes a case's data in `folder`; returns what its config then lacks. */
export function prepareCase(
  { config, batch, seconds, words }: MemoryCase,
  folder: string,
): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const random = new CounterRandom(5);
  const wav = join(folder, 'noise.wav');
  writeFileSync(wav, encodeWav([waveform(seconds * RATE, random)], { sampleRate: RATE }));
  const lines = Array.from({ length: 200 }, (_, i) => text(words, random.derive(i)));
  const attention = config.includes('multitask');
  const entry = (line: string) => ({
    audio_filepath: wav,
    duration: seconds,
    text: line,
    ...(attention ? { source_lang: 'en', target_lang: 'en', taskname: 'asr', pnc: 'yes' } : {}),
  });
  const manifest = join(folder, 'train.json');
  // One text: all batches have the same shape.
  writeFileSync(manifest, `${JSON.stringify(entry(lines[0]))}\n`.repeat(4 * batch));
  const { dir } = trainTokenizerFolder({
    lines,
    dataRoot: folder,
    vocabSize: 60,
    modelType: 'bpe',
    bosId: -1,
    eosId: -1,
  });
  const tokenizer = attention
    ? [
        `model.tokenizer.langs.en.dir=${dir}`,
        `model.tokenizer.langs.spl_tokens.dir=${join(folder, 'special')}`,
      ]
    : [`model.tokenizer.dir=${dir}`];
  if (attention) trainSpecialTokenizer(['en', 'transcribe'], join(folder, 'special'));
  const isByLetters = config.includes('quartznet');
  return [
    `model.train_ds.manifest_filepath=${manifest}`,
    `model.train_ds.batch_size=${batch}`,
    'model.train_ds.num_workers=2',
    '~model.validation_ds',
    '~model.test_ds',
    ...(isByLetters ? [] : tokenizer),
  ];
}
