"""Writes test/golden/fusion_nemo.json: boosting trees, n-gram models and the greedy and CTC beam_batch searches fused
with them, by NeMo's own classes (nemo_toolkit 2.7.3, PyTorch, CPU: no triton, no CUDA graphs).
Run: python3 nemo_fusion.py

Weights follow the formula of the other golden files (golden.ts): keys of a component in alphabetical order, p their
index, s_i = sin(0.7 i + 1.1 p); embeddings 0.5 s with the last row zero, everything else 0.3 s."""
import json, math, os, tempfile
import torch
from nemo.collections.asr.modules import RNNTDecoder, RNNTJoint
from nemo.collections.asr.parts.context_biasing.boosting_graph_batched import (
    BoostingTreeModelConfig,
    GPUBoostingTreeModel,
    PhraseItem,
)
from nemo.collections.asr.parts.submodules.ctc_beam_decoding import BeamBatchedCTCInfer
from nemo.collections.asr.parts.submodules.ctc_greedy_decoding import GreedyBatchedCTCInfer
from nemo.collections.asr.parts.submodules.ngram_lm import NGramGPULanguageModel
from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import GreedyBatchedRNNTInfer, GreedyBatchedTDTInfer

V, H, J, D, T, B = 8, 8, 12, 6, 24, 3
LENGTHS = [24, 17, 9]
DURATIONS = [0, 1, 2, 3]
OFFSET = 100


class Letters:
    """Token i is the letter i of the alphabet."""

    vocab_size = V

    def text_to_ids(self, text, lang=None):
        return [ord(c) - ord("a") for c in text]


TREES = {
    "default": {"key_phrases_list": ["abc", "bcd", "cab", "hh"]},
    # Phrases inside others, common beginnings, one token, the same twice.
    "nested": {"key_phrases_list": ["abcde", "bcd", "cd", "d", "abf", "ab", "abcde"], "context_score": 0.7,
               "depth_scaling": 1.5, "unk_score": -0.3},
    "uniform": {"key_phrases_list": ["abcd", "bc", "e", "ef"], "uniform_weights": True, "unk_score": 0.1},
    "per_phrase": {"key_phrases_list": ["ab", "abcdefgh", "abhg", "g"], "score_per_phrase": 3.0},
    # 1 / 8 is half a hundredth over 0.12.
    "rounded": {"key_phrases_list": ["abcdefgh", "habcdefg"], "score_per_phrase": 1.0, "context_score": 0.4},
    "items": {"key_phrase_items_list": [PhraseItem("cafe", "en"), PhraseItem("face", "de")], "depth_scaling": 1.0},
}


def word(w):
    return w if w.startswith("<") else chr(ord(w) - ord("a") + OFFSET)


UNIGRAMS = {"<s>": (-99, -0.3), "</s>": (-1.1, None), "<unk>": (-2.0, None), "a": (-0.9, -0.2), "b": (-1.3, -0.4),
            "c": (-0.5, -0.1), "d": (-1.7, -0.6), "e": (-0.8, -0.25), "g": (-1.0, None)}
BIGRAMS = {"<s> c": (-0.2, -0.15), "c e": (-0.3, -0.35), "e e": (-1.9, None), "e b": (-0.15, -0.05), "b c": (-0.35, None),
           "b </s>": (-0.4, None)}
TRIGRAMS = {"<s> c e": -0.1, "c e b": -0.9, "e b </s>": -0.25}


def arpa(missing=()):
    uni = {w: n for w, n in UNIGRAMS.items() if w not in missing}
    grams = [uni, {k: n for k, n in BIGRAMS.items()}, {k: (p, None) for k, p in TRIGRAMS.items()}]
    lines = ["\\data\\"] + [f"ngram {i + 1}={len(g)}" for i, g in enumerate(grams)] + [""]
    for i, g in enumerate(grams):
        lines.append(f"\\{i + 1}-grams:")
        for k, (p, b) in g.items():
            lines.append(f"{p}\t{' '.join(word(w) for w in k.split())}" + ("" if b is None else f"\t{b}"))
        lines.append("")
    return "\n".join(lines + ["\\end\\", ""])


ARPAS = {"two_unknown": arpa(), "three_unknown": arpa(("g",))}
PATHS = {}
for name, text in ARPAS.items():
    PATHS[name] = os.path.join(tempfile.mkdtemp(), f"{name}.arpa")
    open(PATHS[name], "w", encoding="utf-8").write(text)


def tree_config(name):
    return BoostingTreeModelConfig(**TREES[name], use_triton=False)


def tree_model(name):
    return GPUBoostingTreeModel.from_config(tree_config(name), tokenizer=Letters())


def lm_model(name):
    return NGramGPULanguageModel.from_file(lm_path=PATHS[name], vocab_size=V, use_triton=False)


def rounded(x, digits=5):
    return [rounded(y, digits) for y in x] if isinstance(x, list) else round(x, digits)


def walk(model, tokens):
    """Scores of all tokens in each state along the way, and the score of ending."""
    states = model.get_init_states(batch_size=1, bos=True)
    rows = []
    for token in [*tokens, None]:
        scores, following = model.advance(states)
        rows.append(rounded(scores[0].tolist()))
        if token is not None:
            states = following[:, token]
    return {"tokens": tokens, "scores": rows, "end": model.get_final(states).item()}


def walks(model, phrases):
    torch.manual_seed(4)
    sequences = [Letters().text_to_ids(p) for p in phrases] + [torch.randint(0, 5, (8,)).tolist() for _ in range(3)]
    return [walk(model, s) for s in sequences]


def log_probs():
    torch.manual_seed(7)
    logits = 1.8 * torch.randn(B, T, V + 1)
    logits[..., V] += 1.5
    return torch.tensor(rounded(torch.log_softmax(logits, -1).tolist(), 4))


FUSIONS = {
    "none": {},
    "ngram": {"ngram": ["two_unknown", 0.6]},
    "tree": {"tree": ["default", 0.8]},
    "nested": {"tree": ["nested", 1.0]},
    "both": {"ngram": ["three_unknown", 0.4], "tree": ["nested", 0.6]},
}


def ctc_arguments(fusion):
    out = {"allow_cuda_graphs": False, "tokenizer": Letters()}
    if "ngram" in fusion:
        out["ngram_lm_model"], out["ngram_lm_alpha"] = PATHS[fusion["ngram"][0]], fusion["ngram"][1]
    if "tree" in fusion:
        out["boosting_tree"], out["boosting_tree_alpha"] = tree_config(fusion["tree"][0]), fusion["tree"][1]
    return out


def untriton(models):
    for model in models or []:
        model.use_triton = False


def ctc_greedy(x):
    out = []
    for name, fusion in FUSIONS.items():
        infer = GreedyBatchedCTCInfer(blank_id=V, **ctc_arguments(fusion))
        untriton(infer.fusion_models)
        with torch.no_grad():
            hyps = infer(decoder_output=x, decoder_lengths=torch.tensor(LENGTHS))[0]
        out.append({"fusion": name, "hypotheses": [
            {"labels": [int(t) for t in h.y_sequence], "score": float(h.score)} for h in hyps]})
    return out


CTC_BEAMS = [
    ("none", {"beam_size": 4, "beam_beta": 0.0}),
    ("none", {"beam_size": 1, "beam_beta": 0.5}),
    ("none", {"beam_size": 6, "beam_beta": 0.7, "beam_threshold": 1.5}),
    ("ngram", {"beam_size": 5, "beam_beta": 1.0}),
    ("tree", {"beam_size": 5, "beam_beta": 0.3}),
    ("nested", {"beam_size": 8, "beam_beta": 0.0, "beam_threshold": 6.0}),
    ("both", {"beam_size": 5, "beam_beta": 0.5}),
]


def ctc_beam(x):
    """One utterance at a time: padding frames go into the scores of others in NeMo."""
    out = []
    for name, args in CTC_BEAMS:
        infer = BeamBatchedCTCInfer(blank_index=V, return_best_hypothesis=False, **args, **ctc_arguments(FUSIONS[name]))
        untriton(infer.search_algorithm.fusion_models)
        nbest = []
        for b, length in enumerate(LENGTHS):
            hyps = infer(decoder_output=x[b : b + 1, :length], decoder_lengths=torch.tensor([length]))[0]
            nbest.append([{"tokens": h.y_sequence.tolist(), "timestamp": h.timestamp.tolist(), "score": float(h.score)}
                          for h in hyps[0].n_best_hypotheses])
        out.append({"fusion": name, "args": args, "nbest": nbest})
    return out


def set_weights(module):
    keys = sorted(module.state_dict())
    state = {}
    for p, key in enumerate(keys):
        shape = module.state_dict()[key].shape
        s = torch.sin(0.7 * torch.arange(math.prod(shape), dtype=torch.float64) + 1.1 * p).reshape(shape)
        w = 0.5 * s if key.endswith("embed.weight") else 0.3 * s
        if key.endswith("embed.weight"):
            w[-1] = 0
        state[key] = w.float()
    module.load_state_dict(state)
    module.eval()
    return keys


def encoded():
    i = torch.arange(B * D * T, dtype=torch.float64)
    x = 15 * torch.sin(0.0117 * i * i + 1)
    return {"encoder_output": x.float().reshape(B, D, T), "encoded_lengths": torch.tensor(LENGTHS)}


def path_score(net, joint, kind, frames, length, tokens, times, models):
    """All choices along a path: tokens, blanks and durations, with what the models add to tokens."""
    total, t, i, state = 0.0, 0, 0, None
    label = torch.full([1, 1], V)
    g, state, *_ = net.predict(label, None, add_sos=False, batch_size=1)
    emitted = 0
    while t < length:
        logits = joint.joint_after_projection(frames[t].view(1, 1, -1), joint.project_prednet(g)).view(-1)
        logp = torch.log_softmax(logits[: V + 1], -1)
        jump = 0
        if kind == "tdt":
            dur = torch.log_softmax(logits[V + 1 :], -1)
            total += dur.max().item()
            jump = DURATIONS[int(dur.argmax())]
        if i < len(tokens) and times[i] == t:
            total += logp[tokens[i]].item()
            g, state, *_ = net.predict(torch.tensor([[tokens[i]]]), state, add_sos=False, batch_size=1)
            i += 1
            emitted += 1
            if jump > 0 or emitted >= 3:
                t, emitted = t + max(jump, 1), 0
        else:
            total += logp[V].item()
            t, emitted = t + max(jump, 1), 0
    assert i == len(tokens)
    for model, weight in models:
        if tokens:
            total += weight * model.score_sentences(torch.tensor([tokens])).sum().item()
    return total


def transducers():
    out = []
    for kind in ["rnnt", "tdt"]:
        net = RNNTDecoder(prednet={"pred_hidden": H, "pred_rnn_layers": 1, "dropout": 0.0}, vocab_size=V)
        joint = RNNTJoint(
            jointnet={"encoder_hidden": D, "pred_hidden": H, "joint_hidden": J, "activation": "tanh", "dropout": 0.0},
            num_classes=V, num_extra_outputs=len(DURATIONS) if kind == "tdt" else 0)
        dkeys, jkeys = set_weights(net), set_weights(joint)
        entry = {"kind": kind, "decoder_keys": dkeys, "joint_keys": jkeys, "greedy": []}
        for name, fusion in FUSIONS.items():
            pairs = [(lm_model(fusion["ngram"][0]), fusion["ngram"][1])] if "ngram" in fusion else []
            pairs += [(tree_model(fusion["tree"][0]), fusion["tree"][1])] if "tree" in fusion else []
            args = {"decoder_model": net, "joint_model": joint, "blank_index": V, "max_symbols_per_step": 3,
                    "use_cuda_graph_decoder": False, "fusion_models": [m for m, _ in pairs] or None,
                    "fusion_models_alpha": [a for _, a in pairs] or None}
            infer = (GreedyBatchedTDTInfer(**args, durations=DURATIONS, include_duration=True) if kind == "tdt"
                     else GreedyBatchedRNNTInfer(**args))
            with torch.no_grad():
                # One at a time: in a batch, NeMo gives tokens the durations of frames that others have gone on to.
                batch = encoded()
                hyps = [infer(encoder_output=batch["encoder_output"][b : b + 1, :, :n],
                              encoded_lengths=torch.tensor([n]))[0][0] for b, n in enumerate(LENGTHS)]
                frames = joint.project_encoder(batch["encoder_output"].transpose(1, 2))
                found = []
                for b, h in enumerate(hyps):
                    one = {"tokens": [int(t) for t in h.y_sequence], "timestamp": [int(t) for t in h.timestamp]}
                    if kind == "tdt":
                        one["durations"] = [int(t) for t in h.token_duration]
                    one["path_score"] = path_score(net, joint, kind, frames[b], LENGTHS[b], one["tokens"],
                                                   one["timestamp"], pairs)
                    found.append(one)
            entry["greedy"].append({"fusion": name, "hypotheses": found})
        out.append(entry)
    return out


def plain(config):
    return {k: [{"phrase": i.phrase, "lang": i.lang} for i in v] if k == "key_phrase_items_list" else v
            for k, v in config.items()}


if __name__ == "__main__":
    x = log_probs()
    phrases = [p for c in TREES.values() for p in c.get("key_phrases_list", [])][:6] + ["abcdabx", "cafebabe", "abcdfhh"]
    phrases = [p.replace("x", "h") for p in phrases]
    data = {
        "nemo": "2.7.3", "V": V, "H": H, "J": J, "D": D, "T": T, "lengths": LENGTHS, "durations": DURATIONS,
        "trees": [{"name": n, "config": plain(c), "walks": walks(tree_model(n), phrases)} for n, c in TREES.items()],
        "ngrams": [{"name": n, "arpa": a, "walks": walks(lm_model(n), ["ceb", "eee", "fgh", "cebcebg", ""])}
                   for n, a in ARPAS.items()],
        "fusions": FUSIONS, "logProbs": rounded(x.flatten().tolist(), 4),
        "ctcGreedy": ctc_greedy(x), "ctcBeam": ctc_beam(x), "transducers": transducers(),
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fusion_nemo.json")
    with open(path, "w") as f:
        json.dump(data, f, ensure_ascii=False)
        f.write("\n")
    print("wrote", path)
