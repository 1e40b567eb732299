"""The decorator of recipes. It makes a Prefect flow only when one is needed, because importing Prefect takes 1 s."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

RecipeFunction = Callable[..., Any]

_recipe_functions: set[RecipeFunction] = set()


class RecipeFlow:
    """A recipe. It is Prefect's flow in all but its type, and becomes one when it is called or asked for more."""

    def __init__(self, function: RecipeFunction, name: str) -> None:
        self.fn, self.name = function, name

    @cached_property
    def prefect_flow(self) -> Any:
        """Prefect's flow, which runs steps on the cluster of the active profile."""
        import prefect

        from flows.run.dask_runner import dask_runner

        return prefect.flow(name=self.name, task_runner=dask_runner)(self.fn)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Run the recipe as a flow of Prefect's."""
        return self.prefect_flow(*arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by libraries that only look at it
            raise AttributeError(name)
        return getattr(self.prefect_flow, name)


def flow(name: str) -> Callable[[RecipeFunction], Any]:
    """Decorate a recipe: a function of one parameter `recipe` that calls the words of `Run` and nothing else of effect.

    Its body may be called twice, first to look up what is done. If Prefect is imported already, the result is Prefect's
    own flow, because a deployment accepts nothing else.
    """

    def decorate(function: RecipeFunction) -> Any:
        _recipe_functions.add(function)
        made = RecipeFlow(function, name)
        return made.prefect_flow if "prefect" in sys.modules else made

    return decorate


def is_recipe(flow: Any) -> bool:
    """Whether a flow was made by `flow` of this module, so that its body may be called to look up what is done."""
    return getattr(flow, "fn", None) in _recipe_functions
