"""The structured joint embedding loss and the score beside what they are by definition."""

from __future__ import annotations

import pytest
import torch

from lightning_gans.text.joint_embedding import class_means, joint_embedding_loss, retrieved_first


def written_out(images: torch.Tensor, texts: torch.Tensor, classes: list[int]) -> torch.Tensor:
    """Pair by pair."""
    total = torch.zeros(())
    for n, own in enumerate(classes):
        for m, other in enumerate(classes):
            if other != own:
                right = images[n] @ texts[n]
                total = total + max(torch.zeros(()), 1 + images[n] @ texts[m] - right)  # an image among texts
                total = total + max(torch.zeros(()), 1 + images[m] @ texts[n] - right)  # a text among images
    return total / len(classes) ** 2


@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5], [0, 1, 0, 2, 1, 0], [0, 0, 0, 0, 0, 1]])
def test_it_is_the_sum_over_all_pairs_in_both_directions(classes: list[int]) -> None:
    images, texts = (torch.randn(6, 3, requires_grad=True) for _ in range(2))
    loss, expected = joint_embedding_loss(images, texts, torch.tensor(classes)), written_out(images, texts, classes)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, [images, texts]), torch.autograd.grad(expected, [images, texts]))


def test_others_of_the_same_class_are_no_negatives() -> None:
    images, texts = torch.randn(4, 3), torch.randn(4, 3)
    assert joint_embedding_loss(images, texts, torch.zeros(4, dtype=torch.long)) == 0
    assert joint_embedding_loss(images, texts, torch.arange(4)) > 0


def test_a_margin_of_one_is_enough() -> None:
    apart = torch.eye(3)
    assert joint_embedding_loss(apart, apart, torch.arange(3)) == 0
    assert joint_embedding_loss(apart * 0.9, apart, torch.arange(3)) == pytest.approx(2 * 6 * 0.1 / 9)
    assert joint_embedding_loss(apart * 0, apart, torch.arange(3)) == pytest.approx(2 * 6 / 9)


def test_an_image_is_retrieved_by_the_mean_text_of_its_class() -> None:
    texts = torch.tensor([[2.0, 0], [0, 0], [0, 3], [0, 1]])
    means = class_means(texts, torch.tensor([0, 0, 1, 1]), 2)
    assert torch.equal(means, torch.tensor([[1.0, 0], [0, 2]]))
    images = torch.tensor([[3.0, 1], [1, 1], [0, -1]])
    assert retrieved_first(images, means, torch.tensor([0, 0, 1])).tolist() == [True, False, False]
