"""Golden values of WordPiece, made by the tokenizers that NeMo uses (transformers 4.51, tokenizers 0.21, nemo_toolkit 2.4).

    python test/golden/scripts/wordpiece.py test/fixtures/text test/golden

trains a vocabulary as NeMo's process_asr_text_tokenizer.py does with --tokenizer=wpe, on the texts of the first
folder, and writes wordpiece.txt there and wordpiece.json into the second: tokens, ids and decoded texts of lines and odd strings, cased and lower-cased.
"""
import json
import os
import pathlib
import random
import sys
import tempfile

import tokenizers
from transformers import BertTokenizer

folder = pathlib.Path(sys.argv[1]).resolve()
golden = pathlib.Path(sys.argv[2]).resolve() / "wordpiece.json"
lines = [line for name in ("en", "es", "ja") for line in (folder / f"{name}.txt").read_text("utf8").splitlines()[:150]]
with tempfile.TemporaryDirectory() as temporary:
    corpus = pathlib.Path(temporary, "corpus.txt")
    corpus.write_text("\n".join(lines), "utf8")
    trainer = tokenizers.BertWordPieceTokenizer(lowercase=False)
    trainer.train(str(corpus), vocab_size=900)
    trainer.save_model(temporary)
    vocabulary = pathlib.Path(temporary, "vocab.txt").read_text("utf8").splitlines()
# Without one special token, which then comes after all others.
vocabulary.remove("[MASK]")
(folder / "wordpiece.txt").write_text("\n".join(vocabulary) + "\n", "utf8")

ODD = [
    "", " ", "\t\n  ", "Hello, World!", "don't stop-me now...", "naïve café Ångström ÑANDÚ", "İstanbul ΣΑΣ ẞ",
    "e\u0301te\u0301 cafe\u0301", "a\u0000b\ufffdc\u200bd\u00ade", "x\u2028y\u2029z\u00a0w\u3000v\u1680u", "中文字符 and 日本語です",
    "ひらがなカタカナ한국어", "\U00020000\U0002a700 end", "[UNK] a [MASK]b[CLS] [SEP][PAD] [unk] [ CLS ]", "##ing the##re", "a" * 100, "a" * 101,
    "1,234.56 $5 50% a+b=c <tag> ~^`|", "¿Qué? ¡Sí! «hola» “x” – — …", "emoji 😀👍🏽 family 👨‍👩‍👧", "x\u0301\u0302y ﬁ ½ Ⅷ ª", "\u0085next\u000bline\u000cform\u001c",
    "мир ПРИВЕТ ёж", "שָׁלוֹם مَرْحَبًا नमस्ते", "a_b @user #tag", "\ue000private \U0001f1e9\U0001f1ea",
]
random.seed(4)
alphabet = [c for line in lines[::20] for c in line] + list(" .,!?'-\u0301\u00e9\u4e2d\uac00\u05d0\u200d")
ODD += ["".join(random.choice(alphabet) for _ in range(30)) for _ in range(20)]
cases = lines[::6] + ODD
out = {}
for name, lower in (("cased", False), ("lower", True)):
    bert = BertTokenizer(str(folder / "wordpiece.txt"), do_lower_case=lower)
    rows = []
    for text in cases:
        tokens = bert.tokenize(text)
        ids = bert.convert_tokens_to_ids(tokens)
        # NeMo's AutoTokenizer.ids_to_text
        kept = [t for t in bert.convert_ids_to_tokens(ids) if t not in bert.all_special_tokens]
        rows.append([text, ids, bert.convert_tokens_to_string(kept)])
    out[name] = {"size": len(bert), "mask": bert.mask_token_id, "rows": rows}
golden.write_text(json.dumps(out, ensure_ascii=True) + "\n")
print(len(vocabulary), len(cases), os.path.getsize(golden))
