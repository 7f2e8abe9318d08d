"""The density that samples have on the line beside that of the data."""

from __future__ import annotations

from matplotlib.figure import Figure

from lightning_gans.evaluation.probes.densities import density_kl_1d
from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject, no_data
from lightning_gans.randomness import keyed_generator

PLACE = 4


def draw(subject: Subject) -> Figure:
    """The density on the line that the mean of each sample's dimensions has, beside that of the data (GAAN, Fig. 4)."""
    rows = subject.rows(min(subject.num_points, subject.data.size("test")))
    z = subject.model.prior.sample(subject.num_points, keyed_generator("density", subject.seed))
    fake = subject.decode(z, subject.rows(len(z)))
    real = subject.real(rows).float().cpu()
    divergence = density_kl_1d(real, fake)
    values = [("test data", real, divergence.real), (f"{subject.kind_of_samples} of {subject.name}", fake, divergence.fake)]
    unit = "value, data units" if subject.points else "mean of an image's pixels, which are in [-1, 1]"
    title = f"KL(samples || test data) = {divergence.kl:.3g} nats\n{len(fake)} samples, {len(real)} of the test data"
    return plots.densities(divergence.grid, [(name, x.flatten(1).mean(1), curve) for name, x, curve in values], unit, title)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if (problem := no_data(subject)) is not None:
        return problem
    return "samples have more than one number and are no images" if subject.points and subject.shape != (1,) else None
