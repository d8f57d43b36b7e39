"""Cost of X-STARS' alignment beside a loop over tokens: `python -m tests.benchmarks.alignment`.

One core, CPU time, forward and backward, embeddings of 1,024 numbers in float32, 14 x 14 tokens, two sensors. The loop is what
the released code does: of each token alone a product, a softmax each way. Both are given the same embeddings and everything is
valid; before they are timed, losses and gradients are compared. The second table has projector and heads in it, which the
released code runs token by token too. Tokens are taken apart at once (`unbind`); by their index, as in the released code, the
backward pass of the loop costs far more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tests.benchmarks.machine import asked, describe_machine
from train.alignment_config import Alignment
from train.alignment_heads import AlignmentHeads
from train.alignment_loss import SensorTokens, multi_sensor_alignment

TOKENS, DIM, FEATURES = 196, 1024, 192
TEMPERATURE = 0.07
ROUNDS = 3


def loop_over_tokens(left: Tensor, right: Tensor) -> Tensor:
    """The loss of two sensors token by token, (locations, tokens, dim) each."""
    own = torch.arange(len(left))
    terms = []
    for one, other in zip(left.unbind(1), right.unbind(1), strict=True):
        similarities = one @ other.T / TEMPERATURE
        terms.append((cross_entropy(similarities, own) + cross_entropy(similarities.T, own)) / 2)
    return torch.stack(terms).mean()


def at_once(left: Tensor, right: Tensor) -> Tensor:
    """The same by `multi_sensor_alignment`."""
    valid = torch.ones(left.shape[:2], dtype=torch.bool)
    return multi_sensor_alignment(SensorTokens((left, right), (valid, valid), torch.arange(len(left))), temperature=TEMPERATURE)


def heads_over_tokens(heads: AlignmentHeads, tokens: Sequence[Tensor]) -> list[Tensor]:
    """Embeddings token by token, as the released code makes them."""
    rows = [heads(parts) for parts in zip(*(each.unbind(1) for each in tokens), strict=True)]
    return [torch.stack(parts, 1) for parts in zip(*rows, strict=True)]


def backward_ms(losses: Sequence[Callable[[], Tensor]]) -> list[float]:
    """Least CPU milliseconds of each loss with its backward pass, taken in turn."""
    best = [float("inf")] * len(losses)
    for _ in range(ROUNDS):
        for number, loss in enumerate(losses):
            start = time.process_time()
            loss().backward()
            best[number] = min(best[number], 1e3 * (time.process_time() - start))
    return best


def compare_losses(locations: int) -> tuple[float, float]:
    """Milliseconds at once and in the loop, once both are known to be the same."""
    torch.manual_seed(0)
    given = [normalize(torch.randn(locations, TOKENS, DIM), dim=-1).requires_grad_() for _ in range(2)]
    ours, theirs = (torch.autograd.grad(loss(*given), given) for loss in (at_once, loop_over_tokens))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(at_once(*given), loop_over_tokens(*given))
    mine, loop = backward_ms([lambda: at_once(*given), lambda: loop_over_tokens(*given)])
    return mine, loop


def compare_heads(locations: int) -> tuple[float, float]:
    """As `compare_losses`, with projector and heads."""
    torch.manual_seed(0)
    heads = AlignmentHeads(FEATURES, ("landsat-c2-l2", "sentinel-2-l2a"), Alignment(dim=DIM)).eval()
    given = [torch.randn(locations, TOKENS, FEATURES) for _ in range(2)]

    def loop() -> Tensor:
        left, right = heads_over_tokens(heads, given)
        return loop_over_tokens(left, right)

    torch.testing.assert_close(at_once(*heads(given)), loop())
    mine, theirs = backward_ms([lambda: at_once(*heads(given)), loop])
    return mine, theirs


def main() -> None:
    """Print two tables."""
    asked(__doc__)
    torch.set_num_threads(1)
    print(describe_machine(), f"torch {torch.__version__}")
    for name, compare, batches in (("loss", compare_losses, (8, 32)), ("with heads", compare_heads, (4, 8))):
        print(f"\n{name}: locations | at once ms | loop over tokens ms | times faster")
        for locations in batches:
            mine, loop = compare(locations)
            print(f"{locations} | {mine:.0f} | {loop:.0f} | {loop / mine:.1f}")


if __name__ == "__main__":
    main()
