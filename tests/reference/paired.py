"""The paired bootstrap as a plain loop over locations, one draw after the other."""

import numpy as np


def plain_paired_difference(figure, one, other, locations, *, seed, repeats, level=0.95):
    """Difference and percentile interval.

    Args:
        figure: From how many times each item counts, and answers of one repeat, to a figure.
        one: Answers of each repeat.
        other: The same.
        locations: Of the items.
        seed: Of the draws.
        repeats: How many draws.
        level: Share of the draws within the interval.
    """
    names = sorted(set(locations.tolist()))
    rng = np.random.default_rng(seed)
    once = [1] * len(locations)
    value = np.mean([figure(once, each) for each in one]) - np.mean([figure(once, each) for each in other])
    found = []
    for _ in range(repeats):
        drawn = [names[number] for number in rng.integers(len(names), size=len(names))]
        times = [drawn.count(location) for location in locations.tolist()]
        rows = rng.integers(len(one), size=len(one))
        others = rows if len(one) == len(other) else rng.integers(len(other), size=len(other))
        mean = np.mean([figure(times, one[row]) for row in rows])
        found.append(mean - np.mean([figure(times, other[row]) for row in others]))
    return value, tuple(np.quantile(found, [(1 - level) / 2, (1 + level) / 2]))
