"""Writes test/golden/lightning_accumulation.json: the weights of a linear regression that Lightning trains on batches of
different sizes, accumulating three of five. Run: python3 lightning_accumulation.py (Lightning 2)"""
import json, os
import lightning.pytorch as pl
import torch

SIZES = [1, 4, 2, 3, 1]


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.5, -0.25]))
        self.seen = []

    def training_step(self, batch, _):
        x, y = batch
        return ((x @ self.weight - y) ** 2).mean()

    def on_train_batch_end(self, *_):
        self.seen.append(self.weight.tolist())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def batches():
    start = 0
    for size in SIZES:
        rows = range(start, start + size)
        start += size
        x = torch.tensor([[(i * 7 % 5 - 2) / 2, (i * 3 % 7 - 3) / 3] for i in rows])
        y = torch.tensor([(i * 5 % 9 - 4) / 4 for i in rows])
        yield x, y


model = Line()
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
pl.Trainer(max_epochs=2, accumulate_grad_batches=3, accelerator="cpu", **quiet).fit(
    model, torch.utils.data.DataLoader(list(batches()), batch_size=None)
)
steps = [model.seen[i] for i in (2, 4, 7, 9)]
path = os.path.join(os.path.dirname(__file__), "..", "lightning_accumulation.json")
with open(path, "w") as f:
    json.dump({"lightning": pl.__version__, "sizes": SIZES, "weight": [0.5, -0.25], "lr": 0.1, "accumulate": 3, "steps": steps}, f)
