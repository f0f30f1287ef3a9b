"""Every module of the package can be imported first."""

from __future__ import annotations

from tests.test_architecture import SOURCE, modules, run

# Import each module as if no other one of the package were loaded, all in one interpreter. A module
# that was loaded by another one may rely on what that had loaded before, so only a module that is
# imported itself makes a fresh start. Importing a module imports its package first, so what the
# package has loaded was loaded alone. The root package is replaced by a bare one, because its
# __init__ loads all modules in the one order that happens to work. Cython refuses to load an
# extension twice, so that one stays.
ALONE = """
import importlib, sys, types
folder, *names = sys.argv[1:]
alone = set()
def start_afresh():
    for loaded in [n for n in sys.modules if n.startswith("uplinks") and n != "uplinks._wrr"]:
        del sys.modules[loaded]
    package = types.ModuleType("uplinks")
    package.__path__ = [folder]
    sys.modules["uplinks"] = package
start_afresh()
for name in names:
    if name in alone:
        continue
    if name in sys.modules:
        start_afresh()
    if name == "uplinks":
        del sys.modules[name]
    try:
        importlib.import_module(name)
        alone.update(n for n in sys.modules if n.startswith(name + ".") and name != "uplinks")
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}")
        start_afresh()
    if name == "uplinks":
        start_afresh()
"""


def test_each_module_can_be_imported_alone() -> None:
    names = [name for name in modules() if not name.endswith("__main__")]

    alone = run("-c", ALONE, str(SOURCE), *names)

    assert (alone.returncode, alone.stdout, alone.stderr) == (0, "", "")
