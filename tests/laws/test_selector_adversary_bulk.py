"""An adversary that learns: it varies the attack that did most harm, and keeps what does more."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from tests.laws.test_selector_adversary import (
    STAYS,
    WEIGHTS,
    Duel,
    Wait,
    duels,
    fail_and_return,
    live,
    storm,
    watch,
)

Attack = list[tuple[int, int, int]]  # kind of change, target, weight


def draw(roll: random.Random) -> tuple[int, int, int]:
    return roll.randrange(8), roll.randrange(1 << 20), roll.randrange(1 << 20)


def play(weights: list[int], attack: Attack, choices: tuple[int, ...]) -> Fraction:
    """Return the longest wait of the steady target beyond 2 picks, in turns of Wmax/w."""
    duel = Duel(weights)
    wait = Wait(duel)
    for kind, which, heavy in attack:
        others = [target for target in duel.reference.weights if target != STAYS]
        new_weight = choices[heavy % len(choices)]
        if kind == 0:
            duel.change("add", duel.next, new_weight)
            duel.next += 1
        elif kind in (1, 2, 3) and others:
            lags = {t: lag for t, lag in duel.lags().items() if t != STAYS}
            ordered = sorted(lags, key=lags.__getitem__) or others
            target = ordered[which % 3 - 1 if len(ordered) > 1 else 0]
            if kind == 1:
                duel.change("remove", target)
            elif kind == 2:
                duel.change("set_weight", target, new_weight)
            else:
                duel.change("set_up", target, not duel.reference.states[target])
        elif kind == 4 and others:
            down = [target for target in others if not duel.reference.states[target]]
            if down:
                duel.change("set_up", down[which % len(down)], True)
        else:
            wait.pick()
    return wait.worst


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
@pytest.mark.parametrize("seed", range(4))
def test_law_4_against_an_adversary_that_climbs(kind: str, seed: int) -> None:
    roll = random.Random(seed)  # noqa: S311 - reproducible
    choices = WEIGHTS[kind]
    weights = [1, *(roll.choice(choices) for _ in range(roll.randint(1, 4)))]
    attack = [draw(roll) for _ in range(60)]
    worst = play(weights, attack, choices)
    for _ in range(60):
        varied = list(attack)
        for _ in range(roll.randint(1, 6)):
            varied[roll.randrange(len(varied))] = draw(roll)
        if roll.random() < 0.3:
            first = roll.randrange(len(varied) - 10)
            varied[first:first] = varied[first : first + 10]
            del varied[90:]
        harm = play(weights, varied, choices)
        if harm >= worst:
            worst, attack = harm, varied
    assert worst > 0


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
def test_laws_3_and_4_against_many_random_adversaries(kind: str) -> None:
    for seed in range(40):
        duel, roll, choices = duels(kind, seed)
        live(duel, roll, choices, roll.randint(0, 60))
        target = roll.choice(list(duel.reference.weights))
        fail_and_return(duel, target, roll.choice((0, 1, 2, 5, 20)))
        watch(duel, target)
        duel.compiled._check()


@pytest.mark.parametrize("seed", [0, 1, 10, 51])
def test_law_4_against_larger_crowds(seed: int) -> None:
    """With seed 51, the longest wait of the first 74 is 2.4 Wmax/w + 2."""
    storm(random.Random(seed), 25)  # noqa: S311 - reproducible
