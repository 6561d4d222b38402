// NeMo's `prompt_defaults`: a list of turns, of which the user's gives slots.
import { isMapping } from '../../config/index.js';
import { AnemoneError, asText } from '../../errors/index.js';
import type { PromptSlots } from '../../text/index.js';

/** @throws AnemoneError `config.invalid-value` */
export function promptDefaults(turns: unknown): PromptSlots {
  if (turns === null || turns === undefined) return {};
  if (!Array.isArray(turns)) throw invalid();
  for (const turn of turns as unknown[]) {
    if (!isMapping(turn) || typeof turn['role'] !== 'string' || !isMapping(turn['slots'])) throw invalid();
    if (turn['role'] !== 'user') continue;
    const slots = Object.entries(turn['slots']).filter(([, value]) => value !== null);
    return Object.fromEntries(slots.map(([slot, value]) => [slot, asText(value)]));
  }
  return {};
}

function invalid(): AnemoneError {
  return new AnemoneError({
    code: 'config.invalid-value',
    path: 'model.prompt_defaults',
    message: 'expected a list of mappings, each with role and slots',
    hint: '[{role: user, slots: {source_lang: en, target_lang: en, task: asr, pnc: "yes"}}]',
  });
}
