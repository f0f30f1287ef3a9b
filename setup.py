"""The compiled part only; pyproject.toml says everything else.

Switches, read from the environment when the extension is built:
UPLINKS_TRACE=1 line tracing for coverage; UPLINKS_DEBUG=1 bounds checks and
assertions, not optimized; UPLINKS_SANITIZE=address,undefined the sanitizers.
"""

import os

from setuptools import Extension, setup

MSVC = os.name == "nt"
TRACE = os.environ.get("UPLINKS_TRACE") == "1"
DEBUG = os.environ.get("UPLINKS_DEBUG") == "1"
SANITIZE = os.environ.get("UPLINKS_SANITIZE", "")

# The header of a .pyx outranks this table: what a debug build changes must stand only here.
# `nonecheck` is not among it: Cython refuses it where the GIL is released.
checks = dict.fromkeys(("boundscheck", "initializedcheck"), DEBUG)

# A pick climbs few levels in short loops: unrolled, it costs a twentieth less. Copies are to be
# vectorized as -O3 does, whose other changes make a pick dearer.
FAST = ["-O2", "-funroll-loops", "-fvect-cost-model"]

macros = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if TRACE else []
flags = [] if MSVC else ["-O0", "-g", "-UNDEBUG"] if DEBUG else FAST
sanitizers = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"] if SANITIZE else []
extensions = [
    Extension(
        f"uplinks.{name}",
        sources=[f"src/uplinks/{name}.pyx"],
        define_macros=macros,
        extra_compile_args=flags + sanitizers,
        extra_link_args=sanitizers,
    )
    for name in ("_leases", "_wrr")
]
for extension in extensions:
    # setuptools hands a .pyx to Cython, and Cython reads this attribute.
    extension.cython_directives = {"language_level": 3, **checks, "linetrace": TRACE}

# Always anew: times are compared, not switches, and another build's C would stay.
setup(ext_modules=extensions, options={"build_ext": {"force": True}})
