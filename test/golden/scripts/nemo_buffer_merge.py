"""Golden values of merging buffers, made by NeMo's own classes (nemo_toolkit 2.4 and 2.7, which agree).

    python test/golden/scripts/nemo_buffer_merge.py test/golden/buffer_merge.json

`overlaps`: what longest_common_subsequence_merge leaves out of the second of two token lists. `streams`: what
BatchedFrameASRRNNT (middle), LongestCommonSubsequenceBatchedFrameASRRNNT (lcs) and BatchedFrameASRTDT (tdt) make of the
tokens of overlapping buffers. A buffer is a list of [frame, token]; tokens come from one true sequence and are now and
then heard wrongly, missed or added. BatchedFrameASRTDT drops a token that is the only one of its chunk and boundary:
such streams are drawn again.
"""
import json
import random
import sys
import types

from nemo.collections.asr.parts.utils import streaming_utils as su

rng = random.Random(7)
BLANK = 99


def heard(truth, errors):
    out = []
    for token in truth:
        if rng.random() < errors / 3:
            continue
        out.append(rng.randrange(6) if rng.random() < errors / 3 else token)
        if rng.random() < errors / 3:
            out.append(rng.randrange(6))
    return out


def overlaps():
    rows = []
    for case in range(400):
        length = rng.randrange(0, 14)
        truth = [rng.randrange(2 + case % 7) for _ in range(length + 8)]
        errors = [0, 0.2, 0.5, 1.5][case % 4]
        known, fresh = heard(truth[:length], errors), heard(truth[max(0, length - rng.randrange(0, 9)):], errors)
        (_, start, cut), _ = su.longest_common_subsequence_merge(known, fresh)
        rows.append([known, fresh, start + cut])
    return rows


def buffers(frames, size, step, errors):
    """[[frame, token], ...] of each buffer of a recording of so many frames."""
    truth = {t: rng.randrange(8) for t in range(frames) if rng.random() < 0.5}
    out = []
    for start in range(0, frames - size + 1, step):
        found = []
        for t in range(size):
            token = truth.get(start + t)
            if token is not None and rng.random() >= errors:
                found.append([t, token])
            elif rng.random() < errors / 2:
                found.append([t, rng.randrange(8)])
        out.append(found)
    return out


def alignments(found, size):
    frames = [[] for _ in range(size)]
    for t, token in found:
        frames[t].append((None, token))
    return [[*tokens, (None, BLANK)] for tokens in frames]


def merged(cls, streams, size, chunk, delay, lcs_delay):
    asr = cls.__new__(cls)
    tokenizer = types.SimpleNamespace(ids_to_tokens=lambda ids: [str(i) for i in ids], ids_to_text=lambda ids: list(ids))
    asr.asr_model = types.SimpleNamespace(tokenizer=tokenizer)
    asr.batch_size, asr.blank_id, asr.max_steps_per_timestep = 1, BLANK, 5
    asr.frame_bufferer = types.SimpleNamespace(signal_end_index=[len(streams) + 1])
    asr.all_alignments = [[alignments(found, size) for found in streams]]
    asr.lcs_delay, asr.alignment_basepath, asr.sample_offset, asr.tdt_search_boundary = lcs_delay, None, 0, 4
    asr.infer_logits = lambda: None
    return asr.transcribe(chunk, delay)[0]


def lone(streams, size, chunk, delay):
    first = size - 1 - delay
    return any(sum(first - 4 <= t < first + chunk for t, _ in found) == 1 for found in streams)


def streams():
    rows = []
    while len(rows) < 60:
        chunk, side = rng.choice([(6, 6), (8, 5), (5, 7)])
        size = chunk + 2 * side
        # The script's delay: from the chunk's beginning to the buffer's end, one frame is left out there.
        delay = chunk + side
        found = buffers(size + chunk * 5, size, chunk, [0, 0.05, 0.2][len(rows) % 3])
        if lone(found, size, chunk, delay):
            continue
        args = (found, size, chunk, delay, size - chunk)
        rows.append(dict(
            size=size, chunk=chunk, delay=delay, overlap=size - chunk, buffers=found,
            middle=merged(su.BatchedFrameASRRNNT, *args),
            lcs=merged(su.LongestCommonSubsequenceBatchedFrameASRRNNT, *args),
            tdt=merged(su.BatchedFrameASRTDT, *args),
        ))
    return rows


with open(sys.argv[1], "w") as f:
    json.dump(dict(overlaps=overlaps(), streams=streams()), f, separators=(",", ":"))
