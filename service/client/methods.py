"""From the functions of `calls` to methods that look as if they had been written out."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar, get_args

Method = TypeVar("Method", bound=Callable[..., Any])
SELF = Parameter("self", Parameter.POSITIONAL_ONLY)


def dressed(method: Method, made_of: Callable[..., Any], *, drops: int = 0, gives: Any = None) -> Method:
    """Give a method the name, the words and the signature of the function that it is made of.

    Args:
        method: takes `self` and what `made_of` takes.
        made_of: a function of `calls`.
        drops: parameters of it that the method does not take.
        gives: generic type of what comes out, such as an iterator; None: as it is.
    """
    shown = signature(made_of)
    inner = get_args(shown.return_annotation)
    given = inner[-1] if inner else shown.return_annotation
    taken = [SELF, *list(shown.parameters.values())[drops:]]
    returns = given if gives is None else gives[given]
    method.__name__, method.__doc__ = made_of.__name__, made_of.__doc__
    method.__signature__ = shown.replace(parameters=taken, return_annotation=returns)  # type: ignore[attr-defined]
    return method
