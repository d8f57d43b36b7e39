"""L-BFGS on functions whose minimum is known."""

import torch

from evaluate.lbfgs import Point, minimise

SCALES = torch.logspace(0, 3, 20, dtype=torch.float64)
LOWEST = torch.linspace(-1, 1, 20, dtype=torch.float64)


def bowl(at):
    """A long valley: a thousand times as steep in one direction as in another."""
    away = at - LOWEST
    return Point(at, float((SCALES * away**2).sum() / 2), SCALES * away)


def well(at):
    """Smooth, convex, no parabola: log cosh, whose steps from afar have to be shortened."""
    return Point(at, float((at - LOWEST).cosh().log().sum()), (at - LOWEST).tanh())


def plain(gradient):
    return gradient.clone()


def run(evaluate, start, precondition=plain, *, steps=500, tolerance=1e-8):
    return minimise(evaluate, start, precondition=precondition, tolerance=tolerance, steps=steps, rounding=1e-14)


def test_it_finds_the_lowest_point():
    found, steps = run(bowl, torch.zeros(20, dtype=torch.float64))
    torch.testing.assert_close(found.at, LOWEST, rtol=0, atol=1e-8)
    assert found.steepest <= 1e-8
    assert 2 < steps < 500


def test_the_curvature_saves_the_steps():
    start = torch.zeros(20, dtype=torch.float64)
    _, steps = run(bowl, start, lambda gradient: gradient / SCALES)
    assert steps == 1
    _, blind = run(bowl, start)
    _, guided = run(bowl, start, lambda gradient: gradient / SCALES * torch.linspace(0.5, 2, 20, dtype=torch.float64))
    assert guided < blind / 4


def test_steps_that_are_too_long_are_shortened():
    start = torch.full((20,), 6.0, dtype=torch.float64)
    found, _ = run(well, start, lambda gradient: 1e4 * gradient)
    torch.testing.assert_close(found.at, LOWEST, rtol=0, atol=1e-7)


def test_it_stops_where_it_was_told_to():
    start = torch.full((20,), 6.0, dtype=torch.float64)
    found, steps = run(bowl, start, steps=3)
    assert (steps, found.steepest > 1e-8) == (3, True)
    again, none = run(bowl, LOWEST.clone())
    assert (none, again.value) == (0, 0.0)


def test_it_gives_up_where_no_step_leads_down():
    found, steps = run(bowl, torch.zeros(20, dtype=torch.float64), lambda gradient: -gradient)
    assert steps == 0
    assert found.value == bowl(torch.zeros(20, dtype=torch.float64)).value
