// The two readable companions of a SentencePiece model that NeMo keeps beside it: `tokenizer.vocab` (piece,
// tab, score, as spm_train writes) and `vocab.txt` (BERT-like: no special pieces, "##" where no space goes
// before).
import { PieceType, type SentencePieceModel } from '../../formats/index.js';
import { SPACE_SYMBOL } from './normalizer.js';

export function vocabFiles(model: SentencePieceModel): Map<string, Uint8Array> {
  const { trainerSpec } = model;
  const special = new Set([trainerSpec.bosPiece, trainerSpec.eosPiece, trainerSpec.padPiece]);
  let scored = '';
  let plainVocabulary = '';
  for (const { piece, score, type } of model.pieces) {
    scored += `${piece}\t${formatScore(score)}\n`;
    const isSpecial = type === PieceType.unknown || type === PieceType.control || special.has(piece);
    if (isSpecial || type === PieceType.userDefined) continue;
    if (piece === SPACE_SYMBOL) plainVocabulary += `${piece}\n`;
    else plainVocabulary += piece.startsWith(SPACE_SYMBOL) ? `${piece.slice(1)}\n` : `##${piece}\n`;
  }
  const encoder = new TextEncoder();
  return new Map([
    ['tokenizer.vocab', encoder.encode(scored)],
    ['vocab.txt', encoder.encode(plainVocabulary)],
  ]);
}

/** Six significant digits without trailing zeros, as C++ streams print a float. */
function formatScore(score: number): string {
  if (score === 0) return Object.is(score, -0) ? '-0' : '0';
  const text = score.toPrecision(6);
  if (text.includes('e')) {
    const [mantissa, exponent] = text.split('e');
    const digits = exponent.slice(1).padStart(2, '0');
    return `${trimZeros(mantissa)}e${exponent[0]}${digits}`;
  }
  return Math.abs(score) < 1e-4 ? trimExponential(score) : trimZeros(text);
}

function trimExponential(score: number): string {
  const [mantissa, exponent] = score.toExponential(5).split('e');
  return `${trimZeros(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
