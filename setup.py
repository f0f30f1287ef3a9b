"""Build the extension; pyproject.toml has all other settings.

Environment variables select a variant: UPLINKS_TRACE=1 traces lines for coverage,
UPLINKS_DEBUG=1 checks bounds and assertions without optimization, and
UPLINKS_SANITIZE=address,undefined adds sanitizers.
"""

import os
import sys

from setuptools import Extension, setup

MSVC = os.name == "nt"
TRACE = os.environ.get("UPLINKS_TRACE") == "1"
DEBUG = os.environ.get("UPLINKS_DEBUG") == "1"
SANITIZE = os.environ.get("UPLINKS_SANITIZE", "")

# Directives in the header of a .pyx override these, so set them only here. `nonecheck` is missing
# because Cython refuses it in code that releases the GIL.
checks = dict.fromkeys(("boundscheck", "initializedcheck"), DEBUG)

# Unrolling the short loops of a pick saves 5 %. Only the vectorization of -O3 helps; its other
# optimizations make a pick slower.
FAST = ["-O2", "-funroll-loops", "-fvect-cost-model"]

macros = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if TRACE else []
flags = [] if MSVC else ["-O0", "-g", "-UNDEBUG"] if DEBUG else FAST
sanitizers = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"] if SANITIZE else []
# Symbols triple the size of a wheel. A build in place keeps them, for profilers.
stripped = ["-Wl,-s"] if sys.platform == "linux" and "bdist_wheel" in sys.argv else []
extensions = [
    Extension(
        f"uplinks.{name}",
        sources=[f"src/uplinks/{name}.pyx"],
        define_macros=macros,
        extra_compile_args=flags + sanitizers,
        extra_link_args=sanitizers + stripped,
    )
    for name in ("_leases", "_wrr")
]
for extension in extensions:
    # setuptools passes a .pyx to Cython, which reads this attribute.
    extension.cython_directives = {"language_level": 3, **checks, "linetrace": TRACE}

# Always rebuild: setuptools compares file times, and would keep the C code of another variant.
setup(ext_modules=extensions, options={"build_ext": {"force": True}})
