"""What NeMo computes of a batch: every stage, the gradient of the training loss, hypotheses."""
import copy
import signal

import nemo
import torch
from omegaconf import OmegaConf, open_dict
from nemo.collections.asr.losses.rnnt_pytorch import MultiblankRNNTLossPytorch, RNNTLossPytorch, TDTLossPytorch

# NeMo's TDT loss in plain PyTorch asks for a GPU by name.
if not torch.cuda.is_available():
    torch.Tensor.cuda = lambda self, *_args, **_named: self

EMITTING = 0.3


def shake(model, seed):
    """Random values everywhere, so that nothing is equal by being zero or one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.startswith("preprocessor"):
                continue
            noise = torch.randn(value.shape, generator=generator) if value.is_floating_point() else None
            if name.endswith("running_var"):
                value.copy_(0.5 + noise.abs())
            elif noise is not None:
                value.add_(0.05 * noise)
            else:
                value.fill_(7)
        for module in model.modules():
            # NeMo's greedy_batch looks up the row of blank where its other searches put zeros.
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0


def loss_without_gpu(model):
    """TDT and multi-blank losses of NeMo's kernels need a GPU; this puts its own plain PyTorch in their place."""
    section = model.cfg.get("loss") or {}
    if section.get("loss_name") == "tdt":
        options = section.tdt_kwargs
        model.loss._loss = TDTLossPytorch(blank=model.decoder.vocab_size, durations=list(options.durations), reduction=None, sigma=options.sigma)
    if section.get("loss_name") == "multiblank_rnnt":
        options = section.multiblank_rnnt_kwargs
        durations = list(options.big_blank_durations)
        model.loss._loss = MultiblankRNNTLossPytorch(blank=model.decoder.vocab_size + len(durations), big_blank_durations=durations, reduction=None, sigma=options.sigma)


def targets_of(model, texts, labels):
    """int64 [B,U] zeros at the end, [B]."""
    ids = [model.tokenizer.text_to_ids(t) if hasattr(model, "tokenizer") else [labels.index(c) for c in t] for t in texts]
    rows = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    return rows, torch.tensor([len(row) for row in ids])


def ctc_head(model):
    """(name, head, loss) of the CTC branch, or None."""
    if hasattr(model, "ctc_decoder"):
        return "ctc_decoder", model.ctc_decoder, model.ctc_loss
    return None if hasattr(model, "joint") else ("decoder", model.decoder, model.loss)


def front_end(model, samples, lengths, normalised=True):
    featurizer = model.preprocessor.featurizer
    kind = featurizer.normalize
    if not normalised:
        featurizer.normalize = None
    try:
        return model.preprocessor(input_signal=samples, length=lengths)
    finally:
        featurizer.normalize = kind


def losses(model, encoded, lengths, targets, target_lengths):
    """Losses by name; `loss` is what the model trains with."""
    out = {}
    if hasattr(model, "joint"):
        predicted, _, _ = model.decoder(targets=targets, target_length=target_lengths)
        model.joint.set_fuse_loss_wer(False)
        # As on a GPU: on a CPU the joint normalises before the loss does, and `clamp` then clips something else.
        normalises, model.joint.log_softmax = model.joint.log_softmax, False
        joint = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
        model.joint.log_softmax = normalises
        out["decoder.outputs"], out["joint.outputs"] = predicted, joint
        out["loss"] = out["loss.rnnt"] = model.loss(log_probs=joint, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
    branch = ctc_head(model)
    if branch:
        name, head, loss = branch
        scores = head(encoder_output=encoded)
        out[f"{name}.logprobs"] = scores
        ctc = loss(log_probs=scores, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
        weight = model.ctc_loss_weight if "loss" in out else 1.0
        out["loss.ctc"] = ctc
        out["loss"] = (1 - weight) * out["loss"] + weight * ctc if "loss" in out else ctc
    return out


def stages(model, samples, lengths, targets, target_lengths):
    """Every stage's output in evaluation, under the names of NeMo's ports."""
    model.eval()
    out, taps = {}, []
    names = {name for name, _ in model.encoder.named_modules()}
    layers = [f"layers.{i}" for i in range(len(getattr(model.encoder, "layers", [])))]
    for name in ["pre_encode", *layers]:
        if name not in names or isinstance(model.encoder.get_submodule(name), torch.nn.Dropout):
            continue

        def keep(_module, _inputs, result, name=name):
            out[f"encoder.{name}"] = result[0] if isinstance(result, tuple) else result

        taps.append(model.encoder.get_submodule(name).register_forward_hook(keep))
    with torch.no_grad():
        out["raw_signal"], _ = front_end(model, samples, lengths, normalised=False)
        features, frames = front_end(model, samples, lengths)
        out["processed_signal"], out["processed_signal_length"] = features, frames
        encoded, valid = model.encoder(audio_signal=features, length=frames)
        for tap in taps:
            tap.remove()
        out["encoder.outputs"], out["encoder.encoded_lengths"] = encoded, valid
    # Without gradients NeMo's loss on a CPU, unlike that on a GPU, leaves FastEmit out.
    out.update(losses(model, encoded, valid, targets, target_lengths))
    if "joint.outputs" in out:
        out["joint.outputs"] = out["joint.outputs"].log_softmax(-1)
    return out


def gradients(model, features, frames, targets, target_lengths):
    """`loss`, `grad.NAME` and, after the step, `stat.NAME` of batch norms; the model is as before afterwards."""
    before = copy.deepcopy(model.state_dict())
    model.train()
    model.zero_grad()
    encoded, valid = model.encoder(audio_signal=features, length=frames)
    loss = losses(model, encoded, valid, targets, target_lengths)["loss"]
    loss.backward()
    out = {"loss": loss}
    for name, parameter in model.named_parameters():
        grad = parameter.grad
        out[f"grad.{name}"] = torch.zeros_like(parameter) if grad is None else grad.clone()
    for name, value in model.named_buffers():
        if "running_" in name:
            out[f"stat.{name}"] = value.clone()
    model.zero_grad()
    model.load_state_dict(before)
    model.eval()
    return out


def gradients64(model, *inputs):
    """The same in double precision: who of two is right. None where NeMo's classes stay in float32. Spoils the model."""
    if hasattr(model, "joint") and "Pytorch" not in type(model.loss._loss).__name__:
        kwargs = ((model.cfg.get("loss") or {}).get("warprnnt_numba_kwargs") or {})
        if kwargs.get("fastemit_lambda", 0) or kwargs.get("clamp", -1) > 0:
            return None
    twin = model.double()
    if hasattr(twin, "joint"):
        twin.loss._force_float32 = False
        if not hasattr(twin.loss._loss, "n_durations") and not hasattr(twin.loss._loss, "big_blank_durations"):
            twin.loss._loss = RNNTLossPytorch(blank=twin.loss._blank, reduction=twin.loss._loss.reduction)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return gradients(twin, inputs[0].double(), *inputs[1:])
    except (RuntimeError, TypeError) as error:
        print("  no double precision:", str(error).splitlines()[0])
        return None
    finally:
        torch.set_default_dtype(default)


def blank_biases(model):
    """Slices of biases, and the sign that a blank has there."""
    if hasattr(model, "joint"):
        if hasattr(model.joint, "blank_pred"):
            yield model.joint.blank_pred[2].bias
        else:
            extra = model.joint.num_extra_outputs
            bias = model.joint.joint_net[-1].bias
            blank = model.decoder.vocab_size
            multiblank = "big_blank_durations" in (model.cfg.get("decoding") or {}) and extra
            yield bias[blank : blank + 1 + extra] if multiblank else bias[blank : blank + 1]
    branch = ctc_head(model)
    if branch:
        yield branch[1].decoder_layers[0].bias[-1:]


def spread(linear, inputs, deviation):
    """Makes the outputs for `inputs` [N,in] vary by `deviation` about 0, if they vary at all."""
    weight = linear.weight.view(linear.weight.shape[0], -1)
    outputs = inputs @ weight.T
    factor = (deviation / outputs.std(0).mean().clamp(min=1e-6)).clamp(max=10)
    linear.weight.mul_(factor)
    linear.bias.copy_(-factor * outputs.mean(0))


def liven(model, samples, lengths, seed):
    """Makes a random model talk: outputs that depend on the audio and on what was said, a token in about every third frame."""
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        features, frames = front_end(model, samples, lengths)
        encoded, valid = model.encoder(audio_signal=features, length=frames)
        rows = torch.cat([one[:, :n].T for one, n in zip(encoded, valid)])
        if hasattr(model, "joint"):
            spread(model.joint.enc, rows, 1.0)
        branch = ctc_head(model)
        if branch:
            spread(branch[1].decoder_layers[0], rows, 2.0)
        biases = list(blank_biases(model))
        if branch:
            balance(biases[-1], lambda: ctc_ids(model, encoded, valid), valid)
        # Some draws say nothing or never stop, whatever the bias of blank.
        for _ in range(8 if hasattr(model, "joint") else 0):
            draw_joint(model, rows, generator)
            share = balance(biases[0], lambda: transducer_tokens(model, encoded, valid, "greedy_batch", {}), valid)
            if 0.15 < share < 0.5:
                break


def draw_joint(model, rows, generator):
    joint = model.joint
    said = torch.randint(0, model.decoder.vocab_size, (8, 6), generator=generator)
    predicted, _, _ = model.decoder(targets=said, target_length=torch.full((8,), 6))
    predicted = predicted.transpose(1, 2).reshape(-1, predicted.shape[1])
    outputs = [joint.pred, joint.joint_net[-1], *([joint.blank_pred[2]] if hasattr(joint, "blank_pred") else [])]
    for linear in outputs:
        linear.weight.copy_(torch.randn(linear.weight.shape, generator=generator) / linear.in_features**0.5)
    spread(joint.pred, predicted, 1.0)
    hidden = (joint.enc(rows)[:40, None] + joint.pred(predicted)[None, :8]).reshape(-1, joint.enc.out_features)
    spread(joint.joint_net[-1], joint.joint_net[:-1](hidden.clone()), 1.5)
    if hasattr(joint, "blank_pred"):
        spread(joint.blank_pred[2], joint.blank_pred[:2](hidden), 1.5)


def balance(bias, find, valid):
    """Sets the bias of blank so that tokens are EMITTING of the frames, as nearly as it can be. Returns their share."""
    start, low, high, best = bias.clone(), -10.0, 10.0, None
    for _ in range(11):
        middle = (low + high) / 2
        bias.copy_(start + middle)
        share = sum(map(len, find())) / int(valid.sum())
        if best is None or abs(share - EMITTING) < abs(best[0] - EMITTING):
            best = (share, middle)
        low, high = (middle, high) if share > EMITTING else (low, middle)
    bias.copy_(start + best[1])
    return best[0]


def ctc_ids(model, encoded, valid):
    name, head, _ = ctc_head(model)
    best = head(encoder_output=encoded).argmax(-1)
    blank = head.num_classes_with_blank - 1
    return [[int(t) for t in torch.unique_consecutive(row[:n]) if t != blank] for row, n in zip(best, valid)]


def change_decoding(model, section):
    if hasattr(model, "ctc_decoder"):
        model.change_decoding_strategy(section, decoder_type="rnnt", verbose=False)
    else:
        model.change_decoding_strategy(section, verbose=False)


def transducer_tokens(model, encoded, valid, strategy, beam):
    """Token ids of the best hypothesis of each utterance, by NeMo's own search."""
    section = copy.deepcopy(model.cfg.decoding)
    with open_dict(section):
        section.strategy = strategy
        section.beam = OmegaConf.create({"beam_size": 4, "return_best_hypothesis": True, **beam})
        section.greedy = OmegaConf.create({"max_symbols": 10})
        OmegaConf.set_struct(section, False)
    change_decoding(model, section)
    found = model.decoding.decoding(encoder_output=encoded, encoded_lengths=valid)[0]
    tokens = [[int(t) for t in hypothesis.y_sequence] for hypothesis in found]
    # Some searches leave the blank there that they start from.
    blank = model.decoder.vocab_size
    return [row[1:] if row and row[0] >= blank else row for row in tokens]


def searches(model):
    """Strategies to compare, with the options of the beam."""
    if not hasattr(model, "joint"):
        return {}
    decoding = model.cfg.decoding
    plain = {"greedy_batch": {}}
    if decoding.get("big_blank_durations"):
        return plain
    new = tuple(int(n) for n in nemo.__version__.split(".")[:2]) >= (2, 5)
    maes = {"maes_num_steps": 2, "maes_prefix_alpha": 1, "maes_expansion_gamma": 2.3, "maes_expansion_beta": 2}
    if decoding.get("durations"):
        batched = {"malsd_batch": {"max_symbols": 10}} if new and list(decoding.durations) == list(range(len(decoding.durations))) else {}
        return {**plain, "beam": {}, "maes": {**maes, "maes_prefix_alpha": 0}, **batched}
    # NeMo's batched searches fail on stateless prediction networks.
    stateless = "Stateless" in model.cfg.decoder._target_
    batched = {"malsd_batch": {"max_symbols": 10}} if new and not stateless else {}
    return {**plain, "beam": {}, "tsd": {"tsd_max_sym_exp": 5}, "alsd": {"alsd_max_target_len": 2.0}, "maes": maes, **batched}


class Endless(Exception):
    pass


def give_up(_signal, _frame):
    raise Endless


def hypotheses(model, encoded, valid, patience=15):
    """
    {strategy: {"beam": options, "tokens": [[ids]]}, "ctc": [texts]}; without tokens where NeMo's search took longer
    than `patience` seconds of computing: the best-first search has no limit of tokens at a frame, and some models never tire.
    """
    model.eval()
    out = {}
    with torch.no_grad():
        for strategy, beam in searches(model).items():
            out[strategy] = {"beam": beam}
            signal.signal(signal.SIGVTALRM, give_up)
            signal.setitimer(signal.ITIMER_VIRTUAL, patience)
            try:
                out[strategy]["tokens"] = transducer_tokens(model, encoded, valid, strategy, beam)
            except Endless:
                print("  endless in NeMo:", strategy)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        branch = ctc_head(model)
        if branch:
            decoding = model.ctc_decoding if hasattr(model, "joint") else model.decoding
            found = decoding.ctc_decoder_predictions_tensor(branch[1](encoder_output=encoded), decoder_lengths=valid, return_hypotheses=True)
            found = found[0] if isinstance(found, tuple) else found
            out["ctc"] = {"texts": [getattr(f[0] if isinstance(f, list) else f, "text") for f in found]}
    return out
