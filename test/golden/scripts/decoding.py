"""Writes test/golden/decoding_nemo.json: searches, confidence measures and timestamps by NeMo's own classes
(nemo_toolkit 2.4.1, PyTorch, CPU; timestamps from the file of 2.6.0rc0, which 2.4 does not have yet).
Run: python3 decoding.py nemo/collections/asr/parts/utils/timestamp_utils.py

Weights follow the formula of the other golden files: keys of a component in alphabetical order, p their index,
s_i = sin(0.7 i + 1.1 p); embeddings 0.5 s with the last row zero, everything else `scale` * s."""
import ast, importlib.machinery, json, math, os, sys, types, typing
import torch

# An n-gram model of the tokens "0" to "7", and a stand-in for the kenlm package that reads it: back-off as the
# ARPA format defines it. NeMo's fusion is what these vectors are about, not KenLM.
UNIGRAMS = {"<s>": (-99, -0.3), "</s>": (-1.1, 0), "<unk>": (-2.0, 0), "0": (-0.9, -0.2), "1": (-1.3, -0.4),
            "2": (-0.5, -0.1), "3": (-1.7, 0), "4": (-0.8, -0.25), "5": (-2.1, -0.5), "6": (-1.0, 0)}
BIGRAMS = {("<s>", "2"): -0.2, ("2", "4"): -0.3, ("4", "4"): -1.9, ("4", "1"): -0.15, ("1", "2"): -0.35}
ARPA = "\\data\\\nngram 1=%d\nngram 2=%d\n\n\\1-grams:\n%s\n\n\\2-grams:\n%s\n\n\\end\\\n" % (
    len(UNIGRAMS), len(BIGRAMS),
    "\n".join(f"{p}\t{w}\t{b}" for w, (p, b) in UNIGRAMS.items()),
    "\n".join(f"{p}\t{v} {w}" for (v, w), p in BIGRAMS.items()))


class State:
    word = None


class Model:
    def __init__(self, path):
        pass

    def BeginSentenceWrite(self, state):
        state.word = "<s>"

    def BaseScore(self, state, word, following):
        word = word if word in UNIGRAMS else "<unk>"
        following.word = word
        known = BIGRAMS.get((state.word, word))
        return known if known is not None else UNIGRAMS[state.word][1] + UNIGRAMS[word][0]


kenlm = types.ModuleType("kenlm")
kenlm.__spec__ = importlib.machinery.ModuleSpec("kenlm", None)
kenlm.State, kenlm.Model = State, Model
sys.modules["kenlm"] = kenlm
from omegaconf import OmegaConf
from nemo.collections.asr.modules import HATJoint, RNNTDecoder, RNNTJoint, StatelessTransducerDecoder
from nemo.collections.asr.parts.submodules.rnnt_beam_decoding import BeamRNNTInfer
from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import (
    GreedyBatchedTDTInfer,
    GreedyMultiblankRNNTInfer,
    GreedyRNNTInfer,
    GreedyTDTInfer,
)
from nemo.collections.asr.parts.submodules.tdt_beam_decoding import BeamTDTInfer
from nemo.collections.asr.parts.utils.asr_confidence_utils import get_confidence_measure_bank
from nemo.utils import logging, logging_mode

V, H, J, D, T, B = 8, 8, 12, 6, 7, 2
LENGTHS = [7, 5]
DURATIONS = [0, 1, 2, 3]
BIG_BLANKS = [2, 4]
SCALE = 0.6


def set_weights(module, bias_of_blank, blank_row):
    keys = sorted(k for k in module.state_dict())
    state = {}
    for p, key in enumerate(keys):
        shape = module.state_dict()[key].shape
        s = torch.sin(0.7 * torch.arange(math.prod(shape), dtype=torch.float64) + 1.1 * p).reshape(shape)
        if ".embed" in key:
            w = 0.5 * s
            w[-1] = 0
        else:
            w = SCALE * s
        # Blank gets this much on top, so that searches move on.
        if key == "joint_net.1.bias" and blank_row is not None:
            w[blank_row] += bias_of_blank
        if key == "blank_pred.2.bias":
            w += bias_of_blank
        state[key] = w.float()
    module.load_state_dict(state)
    return keys


def prednet(kind):
    torch.manual_seed(0)
    if kind == "lstm":
        net = RNNTDecoder(prednet={"pred_hidden": H, "pred_rnn_layers": 2, "dropout": 0.0}, vocab_size=V)
    else:
        net = StatelessTransducerDecoder(
            prednet={"pred_hidden": H, "dropout": 0.0}, vocab_size=V, context_size=3, normalization_mode="layer"
        )
    net.eval()
    return net, set_weights(net, 0, None)


def joint(cls, extra, blank, bias):
    net = cls(
        jointnet={"encoder_hidden": D, "pred_hidden": H, "joint_hidden": J, "activation": "tanh", "dropout": 0.0},
        num_classes=V,
        num_extra_outputs=extra,
    )
    net.eval()
    return net, set_weights(net, bias, blank)


def encoded():
    x = 2 * torch.sin(0.41 * torch.arange(B * D * T, dtype=torch.float64) + 0.1)
    return {"encoder_output": x.float().reshape(B, D, T), "encoded_lengths": torch.tensor(LENGTHS)}


def show(hyp):
    stamp = hyp.timestamp
    stamp = stamp.tolist() if isinstance(stamp, torch.Tensor) else [int(t) for t in stamp]
    out = {"tokens": [int(t) for t in hyp.y_sequence], "timestamp": stamp, "score": float(hyp.score)}
    if getattr(hyp, "token_duration", None) is not None and len(hyp.token_duration) > 0:
        d = hyp.token_duration
        out["durations"] = d.tolist() if isinstance(d, torch.Tensor) else [int(t) for t in d]
    return out


def greedy(infer):
    with torch.no_grad():
        return [show(h) for h in infer(**encoded())[0]]


def beam(infer):
    with torch.no_grad():
        nbest = infer(**encoded())[0]
    return [[show(h) for h in item.n_best_hypotheses] for item in nbest]


LM = {"ngram_lm_model": "stand-in", "ngram_lm_alpha": 0.4}
RNNT_BEAMS = [
    ("default", {"beam_size": 2}),
    ("default", {"beam_size": 5, "score_norm": False}),
    ("default", {"beam_size": 1}),
    ("default", {"beam_size": 3, "softmax_temperature": 1.7}),
    ("tsd", {"beam_size": 3, "tsd_max_sym_exp_per_step": 4}),
    ("alsd", {"beam_size": 4, "alsd_max_target_len": 1.5}),
    ("alsd", {"beam_size": 6, "alsd_max_target_len": 3}),
    ("maes", {"beam_size": 4}),
    ("maes", {"beam_size": 3, "maes_num_steps": 3, "maes_prefix_alpha": 2, "maes_expansion_gamma": 4.0}),
    ("maes", {"beam_size": 4, "maes_expansion_gamma": 4.0, **LM}),
]
# With prefixes this fails in NeMo: it indexes the wrong axis.
HAT_BEAMS = [("maes", {"beam_size": 4, "maes_prefix_alpha": 0, "maes_expansion_gamma": 4.0, **LM,
                       "hat_subtract_ilm": True, "hat_ilm_weight": 0.3})]
TDT_BEAMS = [
    ("default", {"beam_size": 2}),
    ("default", {"beam_size": 5, "score_norm": False}),
    ("default", {"beam_size": 1}),
    ("maes", {"beam_size": 4}),
    ("maes", {"beam_size": 3, "maes_num_steps": 3, "maes_prefix_alpha": 2, "maes_expansion_gamma": 4.0}),
    ("maes", {"beam_size": 4, "maes_expansion_gamma": 4.0, **LM}),
]


def searches():
    out = {"V": V, "H": H, "J": J, "D": D, "T": T, "lengths": LENGTHS, "durations": DURATIONS,
           "big_blanks": BIG_BLANKS, "scale": SCALE, "arpa": ARPA, "entries": []}
    for pred in ["lstm", "stateless"]:
        for kind in ["rnnt", "hat", "multiblank", "tdt"]:
            net, dkeys = prednet(pred)
            extra = {"multiblank": len(BIG_BLANKS), "tdt": len(DURATIONS)}.get(kind, 0)
            blank = V + (len(BIG_BLANKS) if kind == "multiblank" else 0)
            bias = {"hat": -5.0, "multiblank": -1.0}.get(kind, 1.0)
            j, jkeys = joint(HATJoint if kind == "hat" else RNNTJoint, extra, None if kind == "hat" else blank, bias)
            common = {"decoder_model": net, "joint_model": j}
            entry = {"prednet": pred, "kind": kind, "decoder_keys": dkeys, "joint_keys": jkeys, "blank_bias": bias, "greedy": {}, "beam": []}
            if kind in ("rnnt", "hat"):
                entry["greedy"]["greedy"] = greedy(GreedyRNNTInfer(**common, blank_index=V, max_symbols_per_step=3))
                for search, args in RNNT_BEAMS + (HAT_BEAMS if kind == "hat" else []):
                    infer = BeamRNNTInfer(**common, search_type=search, return_best_hypothesis=False, **args)
                    entry["beam"].append({"search": search, "args": args, "nbest": beam(infer)})
            elif kind == "multiblank":
                infer = GreedyMultiblankRNNTInfer(
                    **common, blank_index=blank, big_blank_durations=BIG_BLANKS, max_symbols_per_step=3)
                entry["greedy"]["greedy"] = greedy(infer)
            else:
                args = {**common, "blank_index": V, "durations": DURATIONS, "max_symbols_per_step": 3}
                entry["greedy"]["greedy"] = greedy(GreedyTDTInfer(**args, include_duration=True))
                entry["greedy"]["greedy_batch"] = greedy(
                    GreedyBatchedTDTInfer(**args, include_duration=True, use_cuda_graph_decoder=False))
                for search, a in TDT_BEAMS:
                    infer = BeamTDTInfer(
                        **common, durations=DURATIONS, search_type=search, return_best_hypothesis=False, **a)
                    entry["beam"].append({"search": search, "args": a, "nbest": beam(infer)})
            out["entries"].append(entry)
    return out


def confidences():
    logits = 2.5 * torch.sin(0.9 * torch.arange(4 * 6, dtype=torch.float64) + 0.3).reshape(4, 6)
    logp = torch.log_softmax(logits, -1)
    bank = get_confidence_measure_bank()
    return {"logp": logp.tolist(), "values": {
        f"{name}@{alpha}": bank[name](logp, v=6, t=alpha).tolist() for name in bank for alpha in [1.0, 0.33, 0.7]}}


def timestamps():
    """Tokens with their frames through NeMo's word and segment functions."""
    # Only these functions: the file's imports need the rest of that release.
    wanted = {"flatten_char_offsets", "get_words_offsets", "get_segment_offsets"}
    tree = ast.parse(open(sys.argv[1]).read())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    space = {**vars(typing), "logging": logging, "logging_mode": logging_mode}
    exec(compile(tree, sys.argv[1], "exec"), space)
    get_words_offsets, get_segment_offsets = space["get_words_offsets"], space["get_segment_offsets"]
    cases = [
        ["▁the", "▁c", "at", ".", "▁it", "▁", "sat", "?", "▁no"],
        ["▁", "a", "b", ",", "▁c", "!"],
        ["x", "▁y", "z"],
        list("he is. at, 9"),
    ]
    out = []
    for tokens in cases:
        text = lambda parts: "".join(parts).replace("▁", " ").strip() if "▁" in "".join(tokens) else "".join(parts)
        single = lambda t: t.replace("▁", "")
        starts = [2 * i + (3 if i > 4 else 0) for i in range(len(tokens))]
        char = [{"char": single(t), "start_offset": s, "end_offset": s + 1} for t, s in zip(tokens, starts)]
        enc = [{"char": t, "start_offset": s, "end_offset": s + 1} for t, s in zip(tokens, starts)]
        punct = {".", ",", "?", "!"}
        words = get_words_offsets(char, enc, text, word_delimiter_char=" ", tokenizer_type="bpe", supported_punctuation=punct)
        copies = [dict(w) for w in words]
        out.append({
            "tokens": tokens, "starts": starts, "punctuation": sorted(punct), "words": words,
            "segments": get_segment_offsets(copies, [".", "?", "!"], punct),
            "segments_gap3": get_segment_offsets(copies, [".", "?", "!"], punct, 3),
        })
    return out


if __name__ == "__main__":
    data = {"nemo": "2.4.1", "searches": searches(), "confidence": confidences(), "timestamps": timestamps()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "decoding_nemo.json")
    with open(path, "w") as f:
        json.dump(data, f, ensure_ascii=False)
        f.write("\n")
    print("wrote", path)
