"""A server's collections from Python, in the words of `index.Collection`: `Client`, and `AsyncClient` to await.

What is asked and how answers are read is written once (`calls`), without input or output; `sync` and `asynchronous`
carry it over a wire. Names are loaded on first use, and need the extra `client`.

Example:
    >>> from service.client import Client
    >>> with Client("http://127.0.0.1:8765") as client:  # doctest: +SKIP
    ...     for hit in client.collection("handbook").search("Wie lange habe ich Urlaub?", k=3):
    ...         print(hit.document_id, hit.score)
"""

from typing import TYPE_CHECKING, Any

from lfm2_colbert.registry import lookup

if TYPE_CHECKING:
    from service.client.answers import RemoteDocument as RemoteDocument
    from service.client.answers import Stored as Stored
    from service.client.asynchronous import AsyncClient as AsyncClient
    from service.client.asynchronous import AsyncRemoteCollection as AsyncRemoteCollection
    from service.client.sync import Client as Client
    from service.client.sync import RemoteCollection as RemoteCollection

HOMES = {
    "AsyncClient": "service.client.asynchronous:AsyncClient",
    "AsyncRemoteCollection": "service.client.asynchronous:AsyncRemoteCollection",
    "Client": "service.client.sync:Client",
    "RemoteCollection": "service.client.sync:RemoteCollection",
    "RemoteDocument": "service.client.answers:RemoteDocument",
    "Stored": "service.client.answers:Stored",
}
__all__ = ["AsyncClient", "AsyncRemoteCollection", "Client", "RemoteCollection", "RemoteDocument", "Stored"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return lookup(HOMES, name, "client", extra="client")
