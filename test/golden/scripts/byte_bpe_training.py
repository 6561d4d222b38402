"""Merges that Hugging Face's tokenizers 0.23 learns: python test/golden/scripts/byte_bpe_training.py test/fixtures/text test/golden/byte_bpe_training.json"""
import json
import pathlib
import sys

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

folder = pathlib.Path(sys.argv[1])
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
texts = [(folder / f"{name}.txt").read_text("utf8") for name in ("en", "es", "ja")] + ["aaaa aaaaa aaaaaa aaa aa aaaaaaa " * 50, "ababab abab baba bababa " * 40]
out = {}
for words in ("gpt2", "llama3"):
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words == "gpt2")
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    tokenizer.pre_tokenizer = byte_level if words == "gpt2" else pre_tokenizers.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(vocab_size=1200, min_frequency=3, special_tokens=["<|endoftext|>", "<pad>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    out[words] = {"vocabulary": sorted(model["vocab"], key=model["vocab"].get), "merges": [" ".join(pair) for pair in model["merges"]]}
    print(words, len(out[words]["merges"]))
pathlib.Path(sys.argv[2]).write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")), "utf8")
