"""Writes test/golden/batched_beams.json: the searches malsd_batch and maes_batch by NeMo's own classes
(nemo_toolkit 2.7.3, PyTorch, CPU: no triton, no CUDA graphs).
Run: python3 nemo_batched_beams.py

Weights follow the formula of decoding.py: keys of a component in alphabetical order, p their index,
s_i = sin(0.7 i + 1.1 p); embeddings 0.5 s with the last row zero, everything else `scale` * s."""
import inspect, json, math, os, tempfile, textwrap
import torch
from nemo.collections.asr.modules import HATJoint, RNNTDecoder, RNNTJoint
from nemo.collections.asr.parts.submodules import rnnt_maes_batched_computer
from nemo.collections.asr.parts.submodules.ngram_lm import NGramGPULanguageModel
from nemo.collections.asr.parts.submodules.rnnt_beam_decoding import BeamBatchedRNNTInfer
from nemo.collections.asr.parts.submodules.rnnt_maes_batched_computer import ModifiedAESBatchedRNNTComputer
from nemo.collections.asr.parts.submodules.tdt_beam_decoding import BeamBatchedTDTInfer

V, H, J, D, T, B = 8, 8, 12, 6, 9, 2
LENGTHS = [9, 6]
# An index and the duration there are one number: NeMo's search takes the one for the other.
DURATIONS = [0, 1, 2, 3]
SCALE = 0.6
ALPHA = 0.4
BLANK_BIAS = {"rnnt": 1.0, "hat": -2.0, "tdt": 1.0}

# Tokens 5 and 7 are unknown. Words are the characters id + 100.
word = lambda w: w if w.startswith("<") else chr(int(w) + 100)
UNIGRAMS = {"<s>": (-99, -0.3), "</s>": (-1.1, None), "<unk>": (-2.0, None), "0": (-0.9, -0.2), "1": (-1.3, -0.4),
            "2": (-0.5, -0.1), "3": (-1.7, -0.6), "4": (-0.8, -0.25), "6": (-1.0, None)}
BIGRAMS = {"<s> 2": (-0.2, -0.15), "2 4": (-0.3, -0.35), "4 4": (-1.9, None), "4 1": (-0.15, -0.05), "1 2": (-0.35, None)}
TRIGRAMS = {"<s> 2 4": (-0.1, None), "2 4 1": (-0.9, None)}


def section(n, grams):
    lines = [f"{p}\t{' '.join(map(word, w.split()))}" + ("" if b is None else f"\t{b}") for w, (p, b) in grams.items()]
    return f"\\{n}-grams:\n" + "\n".join(lines) + "\n\n"


TABLES = [UNIGRAMS, BIGRAMS, TRIGRAMS]
ARPA = "\\data\\\n" + "".join(f"ngram {n}={len(g)}\n" for n, g in enumerate(TABLES, 1)) + "\n" + "".join(
    section(n, g) for n, g in enumerate(TABLES, 1)) + "\\end\\\n"


def language_model():
    with tempfile.NamedTemporaryFile("w", suffix=".arpa", encoding="utf-8", delete=False) as f:
        f.write(ARPA)
    model = NGramGPULanguageModel.from_file(f.name, vocab_size=V)
    os.unlink(f.name)
    return model


def count_once(computer):
    """With early pruning and lm_weighted_full NeMo's maes_batch adds the log-probability of a label twice; the
    values here are those of counting it once."""
    original = computer.topk_lm

    def topk_lm(hyps, lm_scores, log_probs):
        labels, total = original(hyps, lm_scores, log_probs)
        return labels, torch.where(total.isinf(), total, total - log_probs.gather(-1, labels))

    computer.topk_lm = topk_lm


def keep_places():
    """After a round NeMo's maes_batch reads whether a hypothesis is done with the frame from the place in the beam that
    it now has, not from the one that it came from, so that some get no blank. Here it reads it from where it came."""
    name = "batched_modified_adaptive_expansion_search_torch"
    source = textwrap.dedent(inspect.getsource(getattr(ModifiedAESBatchedRNNTComputer, name)))
    wrong = "torch.logical_and(to_update, last_labels_wb"
    assert source.count(wrong) == 1
    space = {}
    exec(source.replace(wrong, "torch.logical_and(to_update.gather(1, hyp_indices), last_labels_wb"),
         vars(rnnt_maes_batched_computer), space)
    setattr(ModifiedAESBatchedRNNTComputer, name, space[name])


def set_weights(module, bias, blank_row):
    keys = sorted(module.state_dict())
    state = {}
    for p, key in enumerate(keys):
        shape = module.state_dict()[key].shape
        s = torch.sin(0.7 * torch.arange(math.prod(shape), dtype=torch.float64) + 1.1 * p).reshape(shape)
        w = (0.5 if ".embed" in key else SCALE) * s
        if ".embed" in key:
            w[-1] = 0
        if key == "joint_net.1.bias" and blank_row is not None:
            w[blank_row] += bias
        if key == "blank_pred.2.bias":
            w += bias
        state[key] = w.float()
    module.load_state_dict(state)
    module.eval()
    return keys


def prednet():
    return RNNTDecoder(prednet={"pred_hidden": H, "pred_rnn_layers": 2, "dropout": 0.0}, vocab_size=V)


def joint(kind):
    cls = HATJoint if kind == "hat" else RNNTJoint
    return cls(
        jointnet={"encoder_hidden": D, "pred_hidden": H, "joint_hidden": J, "activation": "tanh", "dropout": 0.0},
        num_classes=V, num_extra_outputs=len(DURATIONS) if kind == "tdt" else 0)


def nbest(infer):
    x = 2 * torch.sin(0.41 * torch.arange(B * D * T, dtype=torch.float64) + 0.1)
    with torch.no_grad():
        found = infer(encoder_output=x.float().reshape(B, D, T), encoded_lengths=torch.tensor(LENGTHS))[0]
    return [[{"tokens": [int(t) for t in h.y_sequence], "timestamp": [int(t) for t in h.timestamp],
              "score": round(float(h.score), 6)} for h in one.n_best_hypotheses] for one in found]


FUSED = [{"beam_size": 4, "pruning_mode": p, "blank_lm_score_mode": b, "lm": True}
         for p in ("early", "late") for b in ("no_score", "lm_weighted_full")]
MALSD = [{"beam_size": 1}, {"beam_size": 2}, {"beam_size": 4}, {"beam_size": 6, "score_norm": False},
         {"beam_size": 4, "max_symbols": 1}, {"beam_size": 3, "max_symbols": 2}] + FUSED + [
         {**FUSED[1], "max_symbols": 1}, {**FUSED[3], "max_symbols": 1}]
MAES = [{"beam_size": 1}, {"beam_size": 2}, {"beam_size": 4}, {"beam_size": 6, "score_norm": False},
        {"beam_size": 3, "maes_num_steps": 3, "maes_expansion_gamma": 4.0, "maes_expansion_beta": 1},
        {"beam_size": 4, "maes_num_steps": 1}] + [{**f, "maes_expansion_gamma": 4.0} for f in FUSED]


def run(kind, common, search, args):
    options = dict(args)
    options["max_symbols_per_step"] = options.pop("max_symbols", 3)
    if options.pop("lm", False):
        options.update(fusion_models=[LM], fusion_models_alpha=[ALPHA])
    cls = BeamBatchedTDTInfer if kind == "tdt" else BeamBatchedRNNTInfer
    infer = cls(**common, search_type=search, allow_cuda_graphs=False, return_best_hypothesis=False, **options)
    computer = infer._decoding_computer
    if isinstance(computer, ModifiedAESBatchedRNNTComputer) and "lm" in args and \
            (args["pruning_mode"], args["blank_lm_score_mode"]) == ("early", "lm_weighted_full"):
        count_once(computer)
    args = {"max_symbols": 3, **args}
    return {"strategy": search, "args": args, "nbest": nbest(infer)}


if __name__ == "__main__":
    LM = language_model()
    keep_places()
    entries = []
    # NeMo's StatelessTransducerDecoder lacks what these searches need of it.
    for kind in ["rnnt", "hat", "tdt"]:
        decoder, net = prednet(), joint(kind)
        bias = BLANK_BIAS[kind]
        dkeys, jkeys = set_weights(decoder, 0, None), set_weights(net, bias, None if kind == "hat" else V)
        common = {"decoder_model": decoder, "joint_model": net, "blank_index": V}
        if kind == "tdt":
            common["durations"] = DURATIONS
        searches = [("malsd_batch", a) for a in MALSD] + [("maes_batch", a) for a in MAES if kind != "tdt"]
        entries.append({"kind": kind, "decoder_keys": dkeys, "joint_keys": jkeys, "blank_bias": bias,
                        "beam": [run(kind, common, s, a) for s, a in searches]})
    data = {"nemo": "2.7.3", "V": V, "H": H, "J": J, "D": D, "T": T, "lengths": LENGTHS, "durations": DURATIONS,
            "scale": SCALE, "alpha": ALPHA, "arpa": ARPA, "entries": entries}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "batched_beams.json")
    with open(path, "w") as f:
        json.dump(data, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    print("wrote", path)
