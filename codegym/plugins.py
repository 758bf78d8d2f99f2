"""Tables of plug-ins, one a kind; names of objects that are in no table; names that are imported on first use.

A name is looked up in the table first, then among the entry points of the table's group. ``"package.module:object"``
names an object that is in neither.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Plugins(Mapping[str, T], Generic[T]):
    """Read-only mapping from the name of a plug-in to the plug-in.

    Args:
        kind: Name of one plug-in, for error messages: "reward term".
        group: Entry-point group for plug-ins of other distributions: "codegym.rewards".
        table: Names and plug-ins of this package. A string ``"package.module:object"`` is imported on first use, so
            that a table does not import what its plug-ins need.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, T | str]) -> None:
        self.kind = kind
        self.group = group
        self._table = dict(table)

    def __getitem__(self, name: str) -> T:
        if name in self._table:
            plugin = self._table[name]
            return cast(T, load_object(plugin)) if isinstance(plugin, str) else plugin
        if name in self._entry_points:
            return cast(T, self._entry_points[name].load())
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        """Membership imports nothing."""
        return name in self._table or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        yield from self._table
        yield from (name for name in self._entry_points if name not in self._table)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @functools.cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def get_plugin(self, name: str) -> T:
        """Return the plug-in called ``name``.

        Args:
            name: A name of the table, the name of an entry point, or ``"package.module:object"``.

        Raises:
            ValueError: There is no such name, module or object.
        """
        if name in self:
            return self[name]
        if ":" in name:
            return cast(T, load_object(name))
        raise ValueError(
            f"unknown {self.kind}: got {name!r}{suggest(name, self)}; expected one of {', '.join(self)}, or "
            "'package.module:object' for one of your own"
        )


def load_object(path: str) -> object:
    """Import the object that ``path`` names.

    Args:
        path: ``"package.module:object"``; dots after the colon name attributes of the object.

    Raises:
        ValueError: The path has another form, or there is no such module or object. A module that exists but fails to
            import raises its own error.
    """
    module, _, attributes = path.partition(":")
    if not module or not attributes:
        raise ValueError(f"wrong path of an object: got {path!r}; expected 'package.module:object'")
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise  # the module is there and needs another one
        raise ValueError(
            f"no module {error.name!r}: got {path!r}; expected an importable module before the colon. Install it, or "
            "run in the folder that holds it with 'python -m'"
        ) from error
    for name in attributes.split("."):
        if not hasattr(found, name):
            hint = suggest(name, vars(found) if hasattr(found, "__dict__") else ())
            raise ValueError(f"no object {name!r} in {module!r}: got {path!r}{hint}")
        found = getattr(found, name)
    return found


def suggest(name: str, known: object) -> str:
    """Return " (did you mean 'x'?)" for the name in ``known`` that is most like ``name``, or "" if none is.

    Args:
        name: The name that was not found.
        known: Iterable of the names there are.
    """
    close = difflib.get_close_matches(name, [*cast("Mapping[str, object]", known)], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def lazy_exports(
    package: str, exported: Sequence[str], paths: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports some of its names on first use (PEP 562).

    Args:
        package: Name of the package, its ``__name__``.
        exported: All public names of the package, its ``__all__``.
        paths: ``"package.module:object"`` of each name that is imported on first use.
    """

    def get_attribute(name: str) -> object:
        if name not in paths:
            raise AttributeError(f"module {package!r} has no attribute {name!r}{suggest(name, exported)}")
        found = load_object(paths[name])
        setattr(sys.modules[package], name, found)  # the next access does not come here
        return found

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *exported})

    return get_attribute, list_names
