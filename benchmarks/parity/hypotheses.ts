// Hypotheses of all searches that NeMo's half made, token for token. Features are NeMo's and of the exact size,
// where `transcribe` would pad them.

import type { DecodingSection } from '../../src/asr/index.js';
import type { Engine, HostTensors } from '../../src/engine/index.js';
import { EncDecHybridRNNTCTCBPEModel, EncDecRNNTBPEModel, type SpeechModel } from '../../src/index.js';
import type { Result } from './measure.js';

interface Said {
  readonly beam?: Readonly<Record<string, unknown>>;
  /** Token ids of each utterance; absent where NeMo's search did not end. */
  readonly tokens?: readonly (readonly number[])[];
  readonly texts?: readonly string[];
}

export type SaidBy = Readonly<Record<string, Said>>;

/** One result an utterance: 0 for the same tokens, 1 for others. */
export async function compareHypotheses(
  name: string,
  model: SpeechModel,
  engine: Engine,
  inputs: HostTensors,
  said: SaidBy,
): Promise<Result[]> {
  const { features, featureLengths } = inputs;
  const results: Result[] = [];
  for (const [strategy, { beam, tokens, texts }] of Object.entries(said)) {
    if (!tokens && !texts) continue;
    choose(model, strategy, beam);
    const { hypotheses } = await model.recognizer(engine).recognize({ features, featureLengths }, false);
    const kind = model instanceof EncDecRNNTBPEModel ? model.variant.kind : 'ctc';
    hypotheses.forEach((hypothesis, i) => {
      const ours = texts ? model.tokenizer.idsToText(hypothesis.tokens) : hypothesis.tokens.join(' ');
      const theirs = texts ? texts[i] : tokens![i].join(' ');
      const quantity = strategy === 'ctc' ? 'hypotheses of CTC greedy' : `hypotheses of ${kind} ${strategy}`;
      const same = ours.trim() === theirs.trim();
      const detail = same
        ? `${hypothesis.tokens.length} tokens`
        : `utterance ${i}: [${ours}], NeMo [${theirs}]`;
      results.push({ case: name, quantity, value: same ? 0 : 1, detail });
    });
  }
  return results;
}

function choose(model: SpeechModel, strategy: string, beam: Said['beam'] = {}): void {
  if (strategy === 'ctc') {
    if (model instanceof EncDecHybridRNNTCTCBPEModel) model.changeDecodingStrategy('ctc');
    return;
  }
  if (!(model instanceof EncDecRNNTBPEModel)) return;
  const { alsd_max_target_len: length, ...others } = beam;
  // NeMo's half always means tokens a frame; JSON has no floats to say so.
  const longest = length === undefined ? {} : { alsd_max_target_len: { perFrame: length } };
  const options = { beam_size: 4, ...others, ...longest };
  // The strategy's name comes from a file: a program that does not know it says so itself.
  model.changeDecoding({ strategy, beam: options, greedy: { max_symbols: 10 } } as DecodingSection);
}
