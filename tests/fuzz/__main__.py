"""Fuzz for a long time: ``python -m tests.fuzz [--runs N] [--seed S] [TARGET...]``.

With atheris (``pip install atheris``) coverage guides the mutations; without it they are
random. Each target runs in its own process; atheris limits its memory and the time of one
input. ``--large`` times inputs of a megabyte instead, with the garbage collector off, because
a collection also walks the objects of the other inputs.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.mutation import TOKENS, mutate
from tests.fuzz.targets import SEEDS, TARGETS

from uplinks.parsing import check_manifests

MEGABYTE = 1_000_000
LIMIT = 1.0  # s of CPU time for a megabyte
SHARES = {"loader": 0.4, "headers": 0.4}  # of the runs, for targets with slow inputs

GUIDED = """\
import sys
import atheris
with atheris.instrument_imports(include=["uplinks"]):
    from tests.fuzz import targets
name = sys.argv.pop(1)
atheris.Setup(sys.argv, targets.TARGETS[name])
atheris.Fuzz()
"""
BLIND = """\
import sys
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import SEEDS, TARGETS
name, runs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for data in mutate(SEEDS[name], runs, seed):
    TARGETS[name](data)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the targets; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", metavar="TARGET", nargs="*", choices=[[], *TARGETS])
    parser.add_argument(
        "--runs",
        type=int,
        default=100_000,
        help="inputs of a fast target",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--large", action="store_true", help="time inputs of a megabyte")
    chosen = parser.parse_args(arguments)
    names = chosen.targets or list(TARGETS)
    if chosen.large:
        return max(_time_large(name, chosen.seed) for name in names)
    return max(_fuzz(name, chosen.runs, chosen.seed) for name in names)


def _fuzz(name: str, runs: int, seed: int) -> int:
    runs = int(runs * SHARES.get(name, 1))
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(mutate(SEEDS[name], 0, seed)):
            (Path(corpus) / f"{number:04}").write_bytes(data)
        if find_spec("atheris") is not None:
            options = [f"-runs={runs}", f"-seed={seed}", "-max_len=4096", "-timeout=5"]
            limits = ["-rss_limit_mb=1024", f"-artifact_prefix={tempfile.gettempdir()}/{name}-"]
            words = [GUIDED, name, corpus, *options, *limits]
        else:
            words = [BLIND, name, str(runs), str(seed)]
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", *words], capture_output=True, check=False)
        lasted = time.perf_counter() - begin
        kept = len(list(Path(corpus).iterdir()))
    log = done.stderr.decode(errors="replace").splitlines()
    memory = next((w for line in reversed(log) for w in line.split() if w.endswith("Mb")), "-")
    verdict = "nothing" if done.returncode == 0 else "FOUND"
    print(f"{name:12} {runs:>9,} inputs {lasted:7.1f} s  {kept:5} kept  {memory:>6}  {verdict}")
    if done.returncode:
        print("\n".join(log[-40:]))
    return int(done.returncode != 0)


def _time_large(name: str, seed: int) -> int:
    chance = random.Random(seed)
    worst, input_ = 0.0, b""
    gc.disable()
    parts = [part for part in (*TOKENS, *SEEDS[name]) if part]
    parts += [part + b"\n" for part in parts] + [b"---\n" + part for part in SEEDS[name]]
    for _ in range(60):
        parts.append(b"".join(chance.choices(parts, k=chance.randint(2, 4))))
    for part in parts:
        data = part * (MEGABYTE // len(part))
        gc.collect()
        begin = time.process_time()
        # The loader's target parses several times to compare the results; time one pass.
        _ = check_manifests(data) if name == "loader" else TARGETS[name](data)
        lasted = time.process_time() - begin
        if lasted > worst:
            worst, input_ = lasted, part
        if lasted > LIMIT:
            print(f"  {lasted:.2f} s: {part[:60]!r}")
    print(f"{name:12} {len(parts)} inputs of 1 MB, worst {worst:.2f} s: {input_[:40]!r}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
