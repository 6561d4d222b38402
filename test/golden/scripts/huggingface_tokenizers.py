"""Golden values of tokenizer.json, made by Hugging Face's tokenizers 0.23 and jinja2 as transformers 5 runs it.

    python test/golden/scripts/huggingface_tokenizers.py test/fixtures/text test/golden/tokenizers

trains small tokenizers of each kind on the texts of the first folder and writes them, with ids and decoded texts of odd strings, into the second.
"""
import json
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

folder, out = (pathlib.Path(path) for path in sys.argv[1:3])
out.mkdir(parents=True, exist_ok=True)
lines = [line for name in ("en", "es", "ja") for line in (folder / f"{name}.txt").read_text("utf8").splitlines()[:150]]
lines += ["it's 1234 x  = {y: [2, 3]};\n\n\treturn z", "Привет, мир! 12 ½", "नमस्ते दुनिया", "مرحبا بالعالم ٣", "naïve café — “quoted”"] * 3

TEXTS = [
    "", " ", "  ", "\n", "\n\n  a", "Hello   world ", "it's IT'S 'ſ I'LL we'VE", "a\u0085b\ufeffc\u200bd\u00a0e\u3000f",
    "🙂👩‍👩‍👧 é e\u0301 ﬁ Å", "123456 ٣٤٥ ½ Ⅷ", "<s>hi</s> <|end|>x<|end|> \n <mask> .", "tabs\t\tand\r\nlines\r\r", "▁▁under ▁ a▁b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ab ab ab ab", "     x", "\u0000\u0001",
    "नमस्ते दुनिया", "مرحبا ١٢", "한국어", "日本語のテキスト、です。", "Привет, мир!", "x\n \n y", "...!!!???—–", "f(x) = {y: 'z'}\n\t\treturn 0;",
    "ſtop ΣΑΣ ẞ İ", "word<|end|>word <w>word</w>", "don't do not , . ! n't", "the quick brown fox jumps over the lazy dog",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
SPECIALS = ["<s>", "</s>", "<|end|>"]


def bpe(size=500, specials=SPECIALS, alphabet=(), **model):
    return Tokenizer(models.BPE(**model)), trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), initial_alphabet=list(alphabet), limit_alphabet=max(120, len(alphabet)), show_progress=False)


def byte_level(words, **model):
    tokenizer, trainer = bpe(alphabet=ALPHABET, **model)
    split = pre_tokenizers.Split(Regex(words), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainer


def gpt2():
    tokenizer, trainer = bpe(alphabet=ALPHABET)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, trainer


def roberta():
    tokenizer, trainer = bpe(alphabet=ALPHABET)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    return tokenizer, trainer, [AddedToken("<mask>", lstrip=True, special=True), AddedToken("word", single_word=True)]


def llama3():
    tokenizer, trainer = byte_level(LLAMA3, ignore_merges=True)
    template = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template])
    return tokenizer, trainer


def qwen():
    tokenizer, trainer = byte_level(LLAMA3.replace("{1,3}", ""))
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer, trainer, [AddedToken("<w>", normalized=False), AddedToken("é", normalized=True)]


def smollm():
    tokenizer, trainer = bpe(alphabet=ALPHABET)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainer


def with_bytes(tokenizer, trainer):
    """Trained over characters; tokens of bytes are then put before all others."""
    tokenizer.train_from_iterator([tokenizer.normalizer.normalize_str(line) for line in lines], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + [token for token in tokens if token not in ("<unk>", "<s>", "</s>")]
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer.model = models.BPE({token: i for i, token in enumerate(tokens)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])


def llama2():
    tokenizer, trainer = bpe(420, ["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    with_bytes(tokenizer, trainer)
    tokenizer.pre_tokenizer = None
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer, None


def gemma():
    tokenizer, trainer = bpe(420, ["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    with_bytes(tokenizer, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer, None, [AddedToken("\n\n", normalized=False), AddedToken("\n\n\n", normalized=False)]


def metaspace(scheme, split):
    tokenizer, trainer = bpe(400, ["<unk>", "<s>"], unk_token="<unk>")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme, split=split)
    return tokenizer, trainer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=1100, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer, trainer


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer, trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)


def words():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(), pre_tokenizers.Punctuation("contiguous")])
    return tokenizer, trainers.WordLevelTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False)


def suffixed():
    tokenizer, _ = bpe(unk_token="<unk>", end_of_word_suffix="</w>")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(",", "merged_with_previous"), pre_tokenizers.CharDelimiterSplit("=")])
    tokenizer.decoder = decoders.BPEDecoder()
    return tokenizer, trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=120, show_progress=False)


def prefixed():
    tokenizer, _ = bpe(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], continuing_subword_prefix="##", limit_alphabet=40, show_progress=False)


KINDS = {
    "gpt2": gpt2, "roberta": roberta, "llama3": llama3, "qwen": qwen, "o200k": lambda: byte_level(O200K), "smollm": smollm, "llama2": llama2, "gemma": gemma,
    "metaspace-first": lambda: metaspace("first", True), "metaspace-whole": lambda: metaspace("never", False),
    "unigram": unigram, "bert": bert, "words": words, "suffixed": suffixed, "prefixed": prefixed,
}
for name, make in KINDS.items():
    tokenizer, trainer, *added = make()
    if trainer:
        tokenizer.train_from_iterator(lines, trainer)
    for tokens in added:
        tokenizer.add_tokens(tokens)
    plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    golden = {
        "tokenizer": json.loads(tokenizer.to_str()),
        "texts": TEXTS,
        "ids": plain,
        "withSpecials": [tokenizer.encode(text).ids for text in TEXTS],
        "decoded": [tokenizer.decode(ids) for ids in plain],
    }
    (out / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")), "utf8")
    print(name, tokenizer.get_vocab_size(), sum(map(len, plain)))
