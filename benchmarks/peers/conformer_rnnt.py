"""The Conformer-transducer of the benchmarks in PyTorch: the peer that Anemone is timed against.

Same layers and sizes as Anemone's model (striding subsampling by 4, relative attention, convolution module with
batch norm, LSTM prediction network, joint computed in sub-batches), written as one would in PyTorch today.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class FeedForward(nn.Module):
    def __init__(self, d, dropout):
        super().__init__()
        self.linear1, self.linear2, self.dropout = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(F.silu(self.linear1(x))))


class RelativeAttention(nn.Module):
    def __init__(self, d, heads, dropout):
        super().__init__()
        self.h, self.dk, self.dropout = heads, d // heads, nn.Dropout(dropout)
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.pos = nn.Linear(d, d, bias=False)
        self.u, self.w = nn.Parameter(torch.zeros(heads, self.dk)), nn.Parameter(torch.zeros(heads, self.dk))

    def forward(self, x, positions, blocked):
        b, t, d = x.shape
        q = self.q(x).view(b, t, self.h, self.dk)
        k = self.k(x).view(b, t, self.h, self.dk).transpose(1, 2)
        v = self.v(x).view(b, t, self.h, self.dk).transpose(1, 2)
        p = self.pos(positions).view(1, -1, self.h, self.dk).transpose(1, 2)
        content = (q + self.u).transpose(1, 2) @ k.transpose(-2, -1)
        distance = (q + self.w).transpose(1, 2) @ p.transpose(-2, -1)
        distance = F.pad(distance, (1, 0)).view(b, self.h, 2 * t, t)[:, :, 1:].reshape(b, self.h, t, 2 * t - 1)[..., :t]
        scores = (content + distance) / math.sqrt(self.dk)
        weights = self.dropout(torch.softmax(scores.masked_fill(blocked, -10000.0), -1).masked_fill(blocked, 0.0))
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, d))


class Convolution(nn.Module):
    def __init__(self, d, kernel):
        super().__init__()
        self.pointwise1, self.pointwise2 = nn.Conv1d(d, 2 * d, 1), nn.Conv1d(d, d, 1)
        self.depthwise = nn.Conv1d(d, d, kernel, padding=kernel // 2, groups=d)
        self.norm = nn.BatchNorm1d(d)

    def forward(self, x, padding):
        x = F.glu(self.pointwise1(x.transpose(1, 2)), 1).masked_fill(padding[:, None], 0.0)
        return self.pointwise2(F.silu(self.norm(self.depthwise(x)))).transpose(1, 2)


class ConformerLayer(nn.Module):
    def __init__(self, d, heads, kernel, dropout):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(5))
        self.ff1, self.ff2 = FeedForward(d, dropout), FeedForward(d, dropout)
        self.attention, self.convolution = RelativeAttention(d, heads, dropout), Convolution(d, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, positions, blocked, padding):
        x = x + 0.5 * self.dropout(self.ff1(self.norms[0](x)))
        x = x + self.dropout(self.attention(self.norms[1](x), positions, blocked))
        x = x + self.dropout(self.convolution(self.norms[2](x), padding))
        x = x + 0.5 * self.dropout(self.ff2(self.norms[3](x)))
        return self.norms[4](x)


def depthwise_subsampling(d):
    """NeMo's dw_striding by 8."""
    stages = [nn.Conv2d(1, d, 3, 2, 1), nn.ReLU()]
    for _ in range(2):
        stages += [nn.Conv2d(d, d, 3, 2, 1, groups=d), nn.Conv2d(d, d, 1), nn.ReLU()]
    return nn.Sequential(*stages)


class Conformer(nn.Module):
    def __init__(self, features, d, layers, heads, kernel, dropout, fast):
        super().__init__()
        self.d, self.halvings = d, 3 if fast else 2
        self.conv = depthwise_subsampling(d) if fast else nn.Sequential(
            nn.Conv2d(1, d, 3, 2, 1), nn.ReLU(), nn.Conv2d(d, d, 3, 2, 1), nn.ReLU()
        )
        for _ in range(self.halvings):
            features = (features + 1) // 2
        self.out = nn.Linear(d * features, d)
        self.layers = nn.ModuleList(ConformerLayer(d, heads, kernel, dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features, lengths):
        """features [B,T,F] → [B,T',d], lengths'."""
        for _ in range(self.halvings):
            lengths = (lengths - 1) // 2 + 1
        x = self.conv(features[:, None])
        x = self.out(x.transpose(1, 2).flatten(2))
        x = self.dropout(x * math.sqrt(self.d))
        t = x.shape[1]
        offsets = torch.arange(t - 1, -t, -1.0)[:, None]
        rates = torch.exp(torch.arange(0, self.d, 2) * (-math.log(10000.0) / self.d))
        positions = torch.stack([torch.sin(offsets * rates), torch.cos(offsets * rates)], -1).flatten(1)[None]
        padding = torch.arange(t)[None] >= lengths[:, None]
        blocked = (padding[:, None, :] | padding[:, :, None])[:, None]
        for layer in self.layers:
            x = layer(x, positions, blocked, padding)
        return x, lengths


class Transducer(nn.Module):
    def __init__(self, features=80, d=256, layers=8, heads=4, kernel=31, vocabulary=256, hidden=640, joint=640, dropout=0.1, fast=False):
        super().__init__()
        self.encoder = Conformer(features, d, layers, heads, kernel, dropout, fast)
        self.embed = nn.Embedding(vocabulary + 1, hidden, padding_idx=vocabulary)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.joint_enc, self.joint_pred = nn.Linear(d, joint), nn.Linear(hidden, joint)
        self.joint_out = nn.Linear(joint, vocabulary + 1)
        self.pred_dropout, self.joint_dropout = nn.Dropout(0.2), nn.Dropout(0.2)
        self.blank = vocabulary

    def loss(self, features, feature_lengths, targets, target_lengths, fused_batch=4):
        from torchaudio.functional import rnnt_loss

        encoded, lengths = self.encoder(features, feature_lengths)
        embedded = F.pad(self.embed(targets), (0, 0, 1, 0))
        predicted = self.pred_dropout(self.lstm(embedded)[0])
        f, g = self.joint_enc(encoded), self.joint_pred(predicted)
        total = 0.0
        for i in range(0, len(f), fused_batch):
            part = slice(i, i + fused_batch)
            t, u = int(lengths[part].max()), int(target_lengths[part].max())
            z = self.joint_dropout(F.relu(f[part, :t, None] + g[part, None, : u + 1]))
            logits = self.joint_out(z).float()  # under autocast bfloat16, which the loss does not take
            total = total + rnnt_loss(
                logits, targets[part, :u].int(), lengths[part].int(), target_lengths[part].int(), self.blank, reduction="sum"
            )
        return total / len(f)
