"""The peer of train_step.py on several ranks (DistributedDataParallel, gloo): rank 0 reads "run" lines and answers.
Started as train_step_ddp.py CONFIG RANKS, which starts the ranks."""
import json
import os
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from conformer_rnnt import Transducer


class Loss(torch.nn.Module):
    """DDP hooks on to forward."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *batch):
        return self.model.loss(*batch)


def work(rank, config, ranks, port, read):
    # Gloo prints to the standard output, where answers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    torch.set_num_threads(config["threads"])
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    model = Transducer(
        d=config["d"], layers=config["layers"], heads=config["heads"], vocabulary=config["vocabulary"],
        hidden=config["hidden"], joint=config["hidden"],
    ).train()
    loss_of = torch.nn.parallel.DistributedDataParallel(Loss(model))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-3)
    batch, frames, tokens = config["batch"], config["frames"], config["tokens"]
    inputs = (
        torch.randn(batch, frames, 80),
        torch.tensor([frames - (i * frames) // (8 * batch) for i in range(batch)]),
        torch.randint(0, config["vocabulary"], (batch, tokens)),
        torch.tensor([tokens - i % 5 for i in range(batch)]),
    )
    lines = os.fdopen(read) if rank == 0 else None
    if rank == 0:
        print(json.dumps({"ready": True, "torch": torch.__version__}), file=answers, flush=True)
    while True:
        go = torch.tensor([int(rank == 0 and lines.readline().strip() == "run")])
        dist.broadcast(go, 0)
        if not go.item():
            break
        start, cpu = time.perf_counter(), time.process_time()
        loss = loss_of(*inputs)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        dist.barrier()
        if rank == 0:
            print(json.dumps({
                "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "loss": loss.item(),
                "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }), file=answers, flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    config, ranks = json.loads(sys.argv[1]), int(sys.argv[2])
    port = 29400 + os.getpid() % 500
    # Forked ranks keep this process's input; threads of torch are started in them alone.
    mp.start_processes(work, args=(config, ranks, port, os.dup(0)), nprocs=ranks, start_method="fork")
