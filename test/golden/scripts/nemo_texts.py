"""Writes test/golden/text/hypothesis_texts.json: texts of hypotheses by NeMo's own decodings (nemo_toolkit 2.7.3, CPU).
Run: python3 nemo_texts.py

Decodings of CTC and transducers over a SentencePiece model, characters and two SentencePiece models side by side;
`hypothesis` is decode_tokens_to_str_with_strip_punctuation, `reference` is decode_ids_to_str."""
import json, os, random
from omegaconf import OmegaConf
from nemo.collections.asr.modules import RNNTDecoder, RNNTJoint
from nemo.collections.asr.parts.submodules.ctc_decoding import CTCBPEDecoding, CTCDecoding
from nemo.collections.asr.parts.submodules.rnnt_decoding import RNNTBPEDecoding, RNNTDecoding
from nemo.collections.asr.parts.utils.tokenizer_utils import extract_punctuation_from_vocab
from nemo.collections.common.tokenizers import AggregateTokenizer, SentencePieceTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "../../fixtures/text/test_model.model")
LABELS = [" ", "a", "b", "'", ".", "-", "é", "?"]


def sentencepiece():
    tokenizer = SentencePieceTokenizer(MODEL)
    model = tokenizer.tokenizer
    vocab = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    model.vocab_size = len(vocab)
    model.get_vocab = lambda: {p: i for i, p in enumerate(vocab)}
    model.all_special_tokens = []
    tokenizer.supported_punctuation = extract_punctuation_from_vocab(vocab)
    return tokenizer


def transducer(make, size, what):
    net = dict(pred_hidden=4, pred_rnn_layers=1, dropout=0.0)
    decoder = RNNTDecoder(prednet=net, vocab_size=size)
    joint = RNNTJoint(jointnet=dict(encoder_hidden=4, pred_hidden=4, joint_hidden=4, activation="relu", dropout=0.0),
                      num_classes=size, vocabulary=[str(i) for i in range(size)])
    return make(OmegaConf.create(dict(strategy="greedy", greedy={})), decoder, joint, what)


def aggregate():
    return AggregateTokenizer({"xx": sentencepiece(), "yy": sentencepiece()})


own, two = sentencepiece(), aggregate()
two.supported_punctuation = extract_punctuation_from_vocab(two.tokenizer.get_vocab())
ctc = OmegaConf.create(dict(strategy="greedy", greedy={}))
DECODINGS = {
    "ctc_sentencepiece": (CTCBPEDecoding(ctc, own), own.vocab),
    "rnnt_sentencepiece": (transducer(RNNTBPEDecoding, len(own.vocab), own), own.vocab),
    "ctc_characters": (CTCDecoding(ctc, LABELS), LABELS),
    "rnnt_characters": (transducer(RNNTDecoding, len(LABELS), LABELS), LABELS),
    "rnnt_aggregate": (transducer(RNNTBPEDecoding, two.vocab_size, two), two.vocabulary),
}

random.seed(7)
result = {}
for name, (decoding, vocab) in DECODINGS.items():
    marks = [i for i, p in enumerate(vocab) if any(c in decoding.supported_punctuation for c in p)]
    spaces = [i for i, p in enumerate(vocab) if p in ("▁", " ", "<unk>", "<s>")]
    rows = []
    for _ in range(30):
        ids = [random.choice(random.choice([marks, spaces, range(len(vocab))])) for _ in range(12)]
        rows.append(dict(ids=ids, hypothesis=decoding.decode_tokens_to_str_with_strip_punctuation(ids),
                         reference=decoding.decode_ids_to_str(ids)))
    result[name] = dict(marks=sorted(decoding.supported_punctuation), rows=rows)
with open(os.path.join(HERE, "../text/hypothesis_texts.json"), "w", encoding="utf-8") as f:
    json.dump(dict(nemo="2.7.3", model="test_model.model", labels=LABELS, texts=result), f, ensure_ascii=False, indent=0)
