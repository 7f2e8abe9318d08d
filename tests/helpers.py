"""Small games, data and trainers that several test files share.

Run as a script it trains over two processes or is killed half-way; the tests of the strategy and of resumption start it so.
"""

from __future__ import annotations

import csv
import fcntl
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lightning_gans import Adam, Batch, Game, Images, Uniform, compiled
from lightning_gans.priors import Prior
from lightning_gans.randomness import keyed_generator
from lightning_gans.strategy import check_ranks_agree, free_port
from tests.games import GAMES
from tests.games.gaan import make_gaan

RENDEZVOUS = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def make_trainer(max_steps: int = 6, **settings: Any) -> Trainer:
    """A trainer on one processor that writes nothing and says nothing."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(max_steps=max_steps, **{"accelerator": "cpu", "devices": 1, **quiet, **settings})


def fit(game: Game, max_steps: int = 6, data: Images | None = None, ckpt_path: Path | None = None, **settings: Any) -> Trainer:
    """Train ``game`` on 25 Gaussians, with some labels where it learns these, or on ``data``."""
    trainer = make_trainer(max_steps, **settings)
    trainer.fit(game, datamodule=data or grid_for(game), ckpt_path=ckpt_path)
    return trainer


def grid_for(game: Game, **settings: Any) -> Images:
    """25 Gaussians with what a game is given besides: two, or so many, of each with a label where it learns these."""
    labelled = settings.pop("labelled", 50) if getattr(game, "learns_labels", False) else None
    condition = "labels" if getattr(game, "conditional", False) else None
    return Images("grid25", **{"batch_size": 32, "condition": condition, **settings, "labelled": labelled})


def given(game: Game, n: int) -> Tensor | None:
    """Labels of ``n`` samples for a game that is given some."""
    return torch.arange(n) % 25 if game.conditional else None


def saving(folder: Path, every_n_steps: int = 1) -> dict[str, Any]:
    """A trainer's settings for keeping every checkpoint, as ``step=N.ckpt``."""
    keep = ModelCheckpoint(folder, "{step}", every_n_train_steps=every_n_steps, save_top_k=-1)
    return {"enable_checkpointing": True, "callbacks": [keep]}


class Duel(Game):
    """Two small linear players; each test says what a step does."""

    def __init__(self, play: Callable[[Duel, Batch], None] | None = None, **settings: Any) -> None:
        super().__init__(**{"optimizer": partial(torch.optim.SGD, lr=0.1), "data_scale": 4.0, **settings})
        torch.manual_seed(2)
        self.prior = Uniform(2)
        self.generator = nn.Linear(2, 2)
        self.discriminator = nn.Linear(2, 1)
        self.play = play or Duel.alternate

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        self.play(self, batch)

    def discriminator_loss(self, x: Tensor) -> Tensor:
        return (self.discriminator(self.generator(x)).tanh() - self.discriminator(x).tanh()).mean()

    def generator_loss(self, x: Tensor) -> Tensor:
        return self.discriminator(self.generator(x)).square().mean()

    def both_losses(self, x: Tensor) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator_loss(x), "generator": self.generator_loss(x)}

    def alternate(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)
        self.minimize("generator", self.generator_loss, batch.images)

    def move_together(self, batch: Batch) -> None:
        self.minimize_together(self.both_losses, batch.images)


def in_training(game: Game) -> bool:
    """Whether a step is one of training, and not the dry run before it."""
    return game._pretended_step is None


def record_turns(game: Game) -> list[tuple[str, list[str]]]:
    """Fills with (player, networks whose weights changed) at each update in training; players who move together are joined."""
    turns: list[tuple[str, list[str]]] = []
    remember = game._remember
    before = [state(game)]

    def recorded(losses: Any) -> Any:
        terms = remember(losses)
        after = state(game)
        if in_training(game):
            changed = {name.partition(".")[0] for name, value in after.items() if not torch.equal(value, before[0][name])}
            turns.append((" and ".join(losses), sorted(changed)))
        before[0] = after
        return terms

    game._remember = recorded  # type: ignore[method-assign]
    return turns


def record_arguments(game: Game, method: str) -> list[tuple[Any, ...]]:
    """Fills with the arguments of each call of a method of ``game`` in training."""
    calls: list[tuple[Any, ...]] = []
    original = getattr(game, method)

    def recorded(*args: Any) -> Any:
        if in_training(game):
            calls.append(args)
        return original(*args)

    setattr(game, method, recorded)
    return calls


class Noise:
    """The draws of one training step in their order, made without the game."""

    def __init__(self, prior: Prior, step: int = 0, n: int = 32) -> None:
        self.prior, self.step, self.n, self.draws = prior, step, n, 0

    def _generator(self) -> torch.Generator:
        self.draws += 1
        return keyed_generator("noise", 0, self.step, self.draws)

    def z(self) -> Tensor:
        return self.prior.sample(self.n, self._generator())

    def uniform(self) -> Tensor:
        return torch.rand(self.n, generator=self._generator())


def sgd_step(networks: list[nn.Module], loss: Tensor, rate: float = 0.1) -> None:
    """One step of plain gradient descent."""
    parameters = [p for network in networks for p in network.parameters()]
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter -= rate * gradient


def slopes(critic: nn.Module, real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    """The gradient of the critic with respect to each mixed sample, ``(N, D)``."""
    mixed = ((1 - epsilon[:, None]) * real + epsilon[:, None] * fake).detach().requires_grad_()
    return torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]


def arguments(paper: type[Game]) -> set[str]:
    """What the constructor of a paper takes, all bases included."""
    names = {name for cls in (paper, Game) for name in inspect.signature(cls).parameters}
    return names - {"game", "nonfinite", "compile", "start_from", "start_at_mean_of"}  # tested by themselves


def matters(make: Callable[..., Game], base: dict[str, Any], change: dict[str, Any]) -> bool:
    """Whether three steps end elsewhere with ``change`` than without."""
    sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}
    fit(one := make(**{**sgd, **deepcopy(base)}), 3)
    fit(other := make(**{**sgd, **deepcopy(base), **deepcopy(change)}), 3)
    a, b = state(one), state(other)
    return any(x.shape != y.shape or float((x - y).abs().max()) > 1e-7 for x, y in zip(a.values(), b.values(), strict=True))


# A change of each argument that every paper takes, and what must be given for it to matter
halving = partial(ExponentialLR, gamma=0.5)
COMMON: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "optimizer": ({}, {"optimizer": Adam}),
    "optimizers": ({}, {"optimizers": {"generator": partial(torch.optim.SGD, lr=0.2)}}),
    "scheduler": ({}, {"scheduler": halving}),
    "schedule_counts": ({"scheduler": halving, "schedule_counts": "own"}, {"schedule_counts": "shared"}),
    "data_scale": ({}, {"data_scale": 6.0}),
    "data_range": ({"generator": nn.Linear(2, 2)}, {"data_range": (-2.0, 1.0)}),
    "gradient_clip_val": ({}, {"gradient_clip_val": 0.01}),
    "gradient_clip_algorithm": ({"gradient_clip_val": 0.01}, {"gradient_clip_algorithm": "value"}),
    "prior": ({}, {"prior": Uniform(2, -2.0, 2.0)}),
}


def logged(folder: Path, name: str) -> dict[int, float]:
    """What was logged of ``name``, by step."""
    (file,) = folder.rglob("metrics.csv")
    with open(file) as lines:
        return {int(row["step"]): float(row[name]) for row in csv.DictReader(lines) if row.get(name)}


def state(module: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and buffer."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def same(a: Any, b: Any) -> bool:
    """Whether two nests of tensors and plain values are equal to the last bit."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def furthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference between two states."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def start(mode: str, folder: Path) -> subprocess.Popen[str]:
    """Start this file in a process of its own."""
    threads = str(torch.get_num_threads())
    kept = {key: value for key, value in os.environ.items() if key not in RENDEZVOUS}
    root = str(Path(__file__).parents[1])
    environment = kept | {"OMP_NUM_THREADS": threads, "MASTER_PORT": str(free_port()), "PYTHONPATH": root}
    command = [sys.executable, "-W", "ignore", __file__, mode, str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_of(process: subprocess.Popen[str], seconds: float = 280) -> str:
    """Wait for what ``start`` has started; all that it said. It does not outlive the waiting."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        process.kill()


def on_ranks(work: Callable[[int], None], folder: Path, world_size: int = 2) -> None:
    """Run ``work(rank)`` in processes that can talk to each other; they start as copies of this one."""

    def run(rank: int) -> None:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size)
        work(rank)
        dist.destroy_process_group()

    torch.multiprocessing.start_processes(run, nprocs=world_size, start_method="fork")


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Have ``make`` fill a folder, unless another process of the session has, or is at it: then wait for that."""
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            make(folder)
            (folder / "made").touch()
    return folder


# What trains over two ranks


def make_images(folder: Path) -> Path:
    """An .npz of random images, and its pack beside it."""
    file = folder / "made.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 256, (48, 8, 8), dtype=np.uint8))
    made_images(folder).prepare_data()
    return file


def made_images(folder: Path) -> Images:
    return Images(str(folder / "made.npz"), root=str(folder), batch_size=16)


STRATEGIES = ("gan_ddp", "ddp")


def data_for(name: str, folder: Path) -> Images | None:
    """What one of ``GAMES`` trains on: the images that ``make_images`` left in ``folder`` in 3 batches an epoch, or points."""
    return made_images(folder) if "on images" in name else None


def train_game(name: str, folder: Path, **settings: Any) -> Game:
    """One of ``GAMES`` in float64, 6 steps."""
    game = GAMES[name]()
    fit(game, 6, data_for(name, folder), precision="64-true", **settings)
    return game


def drifting(self: Duel, batch: Batch) -> None:
    self.alternate(batch)
    with torch.no_grad():
        self.generator.bias.add_(1e-3 * self.global_rank)


def failing(rank: int, self: Duel, batch: Batch) -> None:
    if self.global_step == 2 and self.global_rank == rank:
        raise RuntimeError("a fault of this rank alone")
    self.alternate(batch)


def caught(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The error that a call ends with."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def two_ranks(folder: Path) -> None:
    """Train every game under every strategy, meet the errors, and leave what came of it in ``folder``, rank by rank."""
    found: dict[str, Any] = {}
    for strategy in STRATEGIES:
        for name in GAMES:
            found[f"{name} under {strategy}"] = state(train_game(name, folder, devices=2, strategy=strategy))
    both = {"devices": 2, "strategy": STRATEGIES[0], "precision": "64-true"}
    fit(make_gaan(), 4, **both, **saving(folder / "checkpoints", every_n_steps=4))
    fit(resumed := make_gaan(), 6, ckpt_path=folder / "checkpoints" / "step=4.ckpt", **both)
    found["gaan resumed"] = state(resumed)
    rank = int(os.environ["LOCAL_RANK"])
    found["a tensor that differs"] = caught(check_ranks_agree, [torch.ones(3), torch.tensor([1.0, 2.0 + rank])])
    found["tensors that agree"] = caught(check_ranks_agree, [torch.ones(3), torch.arange(4)])
    found["a game that drifts"] = caught(fit, Duel(drifting), devices=2, strategy=STRATEGIES[1])
    torch.save(found, folder / f"rank{rank}.pt")


COMPILED_ON_RANKS = ("gan", "wgan_gp", "gaan")


def two_ranks_compiled(folder: Path) -> None:
    """Train some games whose traced updates run as they are, and leave states and what runs eagerly."""
    compiled.build = lambda graph, inputs: graph  # type: ignore[assignment]
    found: dict[str, Any] = {"eager": {}}
    for name in COMPILED_ON_RANKS:
        fit(game := GAMES[name](compile=True), 6, devices=2, strategy=STRATEGIES[0], precision="64-true")
        found[name], found["eager"][name] = state(game), game._updates.compiler.eager
    torch.save(found, folder / f"rank{os.environ['LOCAL_RANK']}.pt")


class KillAt(Callback):
    """Kill this process without any warning, in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_game() -> Game:
    return make_gaan(optimizer=partial(Adam, lr=1e-2), scheduler=partial(StepLR, step_size=7, gamma=0.9))


def killed(folder: Path) -> None:
    settings = saving(folder, every_n_steps=3)
    settings["callbacks"].append(KillAt(8))
    fit(killed_game(), 100, **settings)


if __name__ == "__main__":
    modes = {
        "two_ranks": two_ranks,
        "two_ranks_compiled": two_ranks_compiled,
        "killed": killed,
        "first rank fails": lambda folder: fit(Duel(partial(failing, 0)), devices=2, strategy="gan_ddp"),
        "second rank fails": lambda folder: fit(Duel(partial(failing, 1)), devices=2, strategy="gan_ddp"),
    }
    modes[sys.argv[1]](Path(sys.argv[2]))
