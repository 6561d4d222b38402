"""Vocabularies that Hugging Face's BertWordPieceTokenizer (tokenizers 0.22.2, nemo_toolkit 2.7.3) trains, as NeMo's
process_asr_text_tokenizer.py does with --tokenizer=wpe: test/golden/wordpiece_training.json.

    python test/golden/scripts/wordpiece_training.py test/fixtures/text test/golden

Characters inside of words get their ids in the order of a hash table, another in each run.
"""
import json
import pathlib
import sys
import tempfile

import tokenizers

CASES = [
    dict(texts=["en"], vocab_size=400, lowercase=False),
    dict(texts=["en", "es"], vocab_size=700, lowercase=False),
    dict(texts=["en", "es"], vocab_size=500, lowercase=True),
    dict(texts=["es"], vocab_size=30000, lowercase=True),
    dict(texts=["ja"], vocab_size=2200, lowercase=False),
]


def train(folder, texts, vocab_size, lowercase):
    with tempfile.TemporaryDirectory() as temporary:
        corpus = pathlib.Path(temporary, "corpus.txt")
        corpus.write_text("\n".join((folder / f"{name}.txt").read_text("utf8") for name in texts), "utf8")
        tokenizer = tokenizers.BertWordPieceTokenizer(lowercase=lowercase)
        tokenizer.train(str(corpus), vocab_size=vocab_size, show_progress=False)
        tokenizer.save_model(temporary)
        return pathlib.Path(temporary, "vocab.txt").read_text("utf8").splitlines()


source, target = map(pathlib.Path, sys.argv[1:])
rows = [{**case, "vocabulary": train(source, **case)} for case in CASES]
(target / "wordpiece_training.json").write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + "\n", "utf8")
print([len(row["vocabulary"]) for row in rows])
