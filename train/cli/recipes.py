"""`train recipes`: the recipes, and what each reproduces."""

from __future__ import annotations


def recipes(*, json: bool = False) -> None:
    """List the recipes: what each reproduces, for which method.

        train recipes

    Args:
        json: Print every setting of every recipe as one JSON object.
    """
    from catalogs.console import emit, emit_json
    from train.config import to_json
    from train.recipes import DEFAULTS, RECIPES

    if json:
        emit_json({name: to_json(make()) for name, make in RECIPES.items()})
        return
    width = max(map(len, RECIPES))
    for name, make in RECIPES.items():
        method = make().method
        default = ", its default" if DEFAULTS[method] == name else ""
        summary = (make.__doc__ or "").strip().splitlines()[0]
        emit(f"{name:<{width}} train {method}{default}\n{'':<{width}} {summary}")
