"""Tools whose errors an assistant can act on: a code, a sentence and a way out, and nothing of what was sent."""

from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError

from lfm2_colbert.errors import Lfm2ColbertError
from service.http.problems import INTERNAL, refusal_of
from service.http.refusals import Refusal

HINTS = {"not_found": "list_collections lists what there is, search gives ids"}
"""Ways out where those of HTTP name its own."""


class CodedTool(Tool):
    """A tool that takes no argument it does not know, and says what is wrong in our words."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run it.

        Raises:
            ToolError: it could not be done; its text is ``code: sentence (way out)``.
            UnexpectedToolError: it went wrong here; the same, and the log has the rest.
        """
        if arguments.keys() - self.parameters["properties"].keys():
            known = ", ".join(self.parameters["properties"]) or "none"
            raise _said(Refusal(422, "invalid_request", "There is no such argument.", f"it takes {known}"))
        try:
            return await super().run(arguments, context, convert_result)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise _said(_unreadable(cause)) from error
            if isinstance(cause, Lfm2ColbertError):
                raise _said(refusal_of(cause)) from error
            if isinstance(cause, Refusal):
                raise _said(cause) from error
            raise UnexpectedToolError(_text(INTERNAL)) from error


def _unreadable(error: ValidationError) -> Refusal:
    """Name the arguments that are wrong, without what was in them."""
    reasons = [f"{'.'.join(map(str, each['loc']))[:64]}: {each['msg']}" for each in error.errors(include_url=False)]
    return Refusal(422, "invalid_request", f"The arguments are wrong: {'; '.join(reasons[:8])}.", "see its schema")


def _said(refusal: Refusal) -> ToolError:
    return ToolError(_text(refusal))


def _text(refusal: Refusal) -> str:
    hint = HINTS.get(refusal.code, refusal.hint)
    return f"{refusal.code}: {refusal.detail}" + (f" ({hint})" if hint else "")
