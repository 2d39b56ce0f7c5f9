"""A registry is a dict, a decorator and a good error. A part's keyword-only parameters are its knobs, and its schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from archbench.errors import SpecError
from archbench.text import suggest_nearest

Program = TypeVar("Program", bound=Callable[..., Any])
Resolvers = Mapping[
    str, Callable[..., Any]
]  # by knob, or by a new name: what it is once every shorthand is written out

UNREAD = object()  # a resolver's value where its knob makes no difference
LAST_LEVEL = "last_level"  # the coarsest level that is built, which a resolver may read beside the knobs


class Part(Generic[Program]):
    """One registered program with the knobs its signature declares."""

    def __init__(self, family: str, name: str, program: Program, resolvers: Resolvers | None = None) -> None:
        self.family, self.name, self.program, self.resolvers = family, name, program, resolvers or {}
        self.doc = (inspect.getdoc(program) or "").split("\n")[0]
        parameters = inspect.signature(program).parameters.values()
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        # The names each resolved knob hangs on: its resolver's parameters, or the knob itself where it has no resolver.
        self.reads = {name: (name,) for name in self.defaults} | {
            name: tuple(inspect.signature(resolver).parameters) for name, resolver in self.resolvers.items()
        }

    @cached_property
    def knobs(self) -> dict[str, inspect.Parameter]:
        """The keyword-only parameters, annotations resolved, in the order of the signature."""
        hints = get_type_hints(self.program, include_extras=True)
        parameters = inspect.signature(self.program).parameters.values()
        return {p.name: p.replace(annotation=hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY}

    def resolve_knob(self, name: str, given: Mapping[str, Any]) -> Any:
        """A knob's value in an id, from the given knobs and the last level; its default where it makes no difference."""
        if name not in self.resolvers:
            return given[name]
        value = self.resolvers[name](**{read: given[read] for read in self.reads[name]})
        return self.defaults.get(name, UNREAD) if value is UNREAD else value


class Registry(Mapping[str, Part[Program]]):
    """The parts of one family (`neck`): register with `@necks.register("fpn")`, look up with `necks["fpn"]`."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._parts: dict[str, Part[Program]] = {}

    def register(self, name: str, *, resolvers: Resolvers | None = None) -> Callable[[Program], Program]:
        """Add a program under `name`. In a network's id, the values of `resolvers` stand for the knobs of their names."""

        def add(program: Program) -> Program:
            if name in self._parts:
                raise ValueError(f"{self.family} {name} is registered twice")
            self._parts[name] = Part(self.family, name, program, resolvers)
            return program

        return add

    def __getitem__(self, name: str) -> Part[Program]:
        try:
            return self._parts[name]
        except KeyError:
            known = list(self._parts)
            raise SpecError(
                f"{self.family}.type: there is no {self.family} {name!r}; there are {', '.join(known)}."
                + suggest_nearest(str(name), known)
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts
