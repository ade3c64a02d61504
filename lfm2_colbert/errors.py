"""Every error a person can meet, in one tree.

    Lfm2ColbertError
    ├── UsageError (exit 2: the call is off)
    │   ├── InvalidArgumentError    invalid_argument
    │   ├── InvalidConfigError      invalid_config
    │   ├── InvalidFilterError      invalid_filter
    │   ├── LicenceNotAcceptedError licence_not_accepted
    │   ├── LocalOnlyError          local_only
    │   ├── UnknownNameError        unknown_name
    │   │   └── UnknownEncoderError unknown_encoder
    │   ├── NotFoundError           not_found
    │   ├── AlreadyExistsError      already_exists
    │   ├── ModelMismatchError      model_mismatch
    │   ├── CursorExpiredError      cursor_expired
    │   └── QueryTooLongError       query_too_long
    ├── DataError (exit 3: the data is off)
    │   ├── CorruptionError         corrupt_data
    │   ├── DocumentTooLargeError   document_too_large
    │   ├── DuplicateIdError        duplicate_id
    │   ├── EmptyDocumentError      empty_document
    │   ├── EncryptedDocumentError  encrypted_document
    │   ├── InvalidEncodingError    invalid_encoding
    │   ├── InvalidNameError        invalid_name
    │   ├── MalformedDocumentError  malformed_document
    │   ├── NonFiniteVectorError    non_finite_vectors
    │   ├── NotParallelError        not_parallel
    │   ├── NotTextError            not_text
    │   ├── TooFewDocumentsError    too_few_documents
    │   ├── UnparsableDocumentError unparsable_document
    │   ├── UnsafeArchiveError      unsafe_archive
    │   ├── UnsafeModelError        unsafe_model
    │   └── UnsupportedFileError    unsupported_file
    ├── EnvironmentFault (exit 4: this machine is off)
    │   ├── DatasetUnavailableError dataset_unavailable
    │   ├── FormatVersionError      format_version
    │   ├── GenerationFailedError   generation_failed
    │   ├── MissingExtraError       missing_extra
    │   ├── ModelUnavailableError   model_unavailable
    │   ├── OutdatedLibraryError    outdated_library
    │   ├── PermissionDeniedError   permission_denied
    │   ├── PortInUseError          port_in_use
    │   ├── ReadFailedError         read_failed
    │   ├── StorageError            storage_failed
    │   ├── UnsafeAddressError      unsafe_address
    │   ├── UnsupportedPlatformError unsupported_platform
    │   └── UnsupportedPythonError  unsupported_python
    ├── BusyError (exit 5: somebody else is at it)
    │   ├── DeadlineExceededError   deadline_exceeded
    │   ├── IndexLockedError        index_locked
    │   └── OverloadedError         overloaded
    └── RemoteError (exit 6: the server at the other end said no, or nothing)

`code` is what programs compare; it is the same in Python, on the command line and over HTTP.
`help` is one way out, written as something the reader can do.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import ClassVar


class Lfm2ColbertError(Exception):
    """An error with a stable `code`, a sentence and one way out (`help`).

    Attributes:
        request_id: of the answer that said so, where a server did; "" else.
    """

    code: str = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, help: str = "") -> None:
        """Keep the sentence and the way out apart, so that every surface can show them its own way."""
        super().__init__(message)
        self.message = message
        self.help = help
        self.request_id = ""


class UsageError(Lfm2ColbertError):
    """The call itself is wrong."""

    code = "usage"
    exit_status = 2


class InvalidArgumentError(UsageError):
    """An argument is outside what it may be."""

    code = "invalid_argument"


class InvalidConfigError(UsageError):
    """A configuration holds an unknown key or an impossible value."""

    code = "invalid_config"


class InvalidFilterError(UsageError):
    """A filter cannot be read, or asks of a field what it does not hold."""

    code = "invalid_filter"


class LicenceNotAcceptedError(UsageError):
    """Weights have a licence that nobody here has accepted yet."""

    code = "licence_not_accepted"


class LocalOnlyError(UsageError):
    """A server cannot be asked this; it is done where the collections lie."""

    code = "local_only"


class UnknownNameError(UsageError):
    """A name is not in the table it was looked up in."""

    code = "unknown_name"

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> "UnknownNameError":
        """Say which names there are, the most similar first."""
        return cls(f"no {kind} '{name}'", help=suggestion(name, known))


class UnknownEncoderError(UnknownNameError):
    """The encoder is neither a known name nor a model folder."""

    code = "unknown_encoder"


class NotFoundError(UsageError):
    """A collection or document does not exist."""

    code = "not_found"


class AlreadyExistsError(UsageError):
    """What was to be created is already there."""

    code = "already_exists"


class ModelMismatchError(UsageError):
    """The collection was built by another encoder."""

    code = "model_mismatch"


class CursorExpiredError(UsageError):
    """The state that a cursor goes on in is no longer held."""

    code = "cursor_expired"


class QueryTooLongError(UsageError):
    """A query holds more characters than one search takes."""

    code = "query_too_long"


class DataError(Lfm2ColbertError):
    """The data handed in, or found on disk, is wrong."""

    code = "data"
    exit_status = 3


class CorruptionError(DataError):
    """A stored file differs from what was committed."""

    code = "corrupt_data"


class DocumentTooLargeError(DataError):
    """A document is larger than one transaction may hold."""

    code = "document_too_large"


class DuplicateIdError(DataError):
    """Two sources claim one document id."""

    code = "duplicate_id"


class EmptyDocumentError(DataError):
    """A document holds no visible text."""

    code = "empty_document"


class EncryptedDocumentError(DataError):
    """A file asks for a password."""

    code = "encrypted_document"


class InvalidEncodingError(DataError):
    """A file's bytes are not UTF-8 (or UTF-16 with a byte order mark)."""

    code = "invalid_encoding"


class InvalidNameError(DataError):
    """A file's name cannot be a document's id."""

    code = "invalid_name"


class MalformedDocumentError(DataError):
    """A file is broken in its own format."""

    code = "malformed_document"


class NonFiniteVectorError(DataError):
    """An encoder gave NaN or infinity for a text."""

    code = "non_finite_vectors"


class NotParallelError(DataError):
    """Two languages of an evaluation set do not ask the same of the same documents."""

    code = "not_parallel"


class NotTextError(DataError):
    """A file named as text holds binary data."""

    code = "not_text"


class TooFewDocumentsError(DataError):
    """There are fewer documents than an encoder can be adapted to."""

    code = "too_few_documents"


class UnparsableDocumentError(DataError):
    """Parsing a file took more memory or time than it may, or broke the parser."""

    code = "unparsable_document"


class UnsafeArchiveError(DataError):
    """An archive, or something in it, would go beyond what reading it may touch or take."""

    code = "unsafe_archive"


class UnsafeModelError(DataError):
    """A model folder holds something this program never loads."""

    code = "unsafe_model"


class UnsupportedFileError(DataError):
    """No reader knows this kind of file."""

    code = "unsupported_file"


class EnvironmentFault(Lfm2ColbertError):
    """Something on this machine is missing or refused."""

    code = "environment"
    exit_status = 4


class DatasetUnavailableError(EnvironmentFault):
    """An evaluation set is not on this machine and cannot be fetched."""

    code = "dataset_unavailable"


class FormatVersionError(EnvironmentFault):
    """A store was written by another format of this program."""

    code = "format_version"


class GenerationFailedError(EnvironmentFault):
    """A language model gave no answer, or broke off."""

    code = "generation_failed"


class MissingExtraError(EnvironmentFault):
    """An optional library is not installed."""

    code = "missing_extra"


class ModelUnavailableError(EnvironmentFault):
    """A model is neither on this machine nor reachable."""

    code = "model_unavailable"


class OutdatedLibraryError(EnvironmentFault):
    """An installed library is known to lose data."""

    code = "outdated_library"


class PermissionDeniedError(EnvironmentFault):
    """The operating system refused access to a path."""

    code = "permission_denied"


class PortInUseError(EnvironmentFault):
    """A server cannot have the address it was to listen on."""

    code = "port_in_use"


class ReadFailedError(EnvironmentFault):
    """The disk did not give a file's bytes."""

    code = "read_failed"


class StorageError(EnvironmentFault):
    """A write did not reach the disk; nothing of it was acknowledged."""

    code = "storage_failed"


class UnsafeAddressError(EnvironmentFault):
    """A server was to be open to others without a key."""

    code = "unsafe_address"


class UnsupportedPlatformError(EnvironmentFault):
    """This program does not run on this operating system."""

    code = "unsupported_platform"


class UnsupportedPythonError(EnvironmentFault):
    """This program needs a newer Python."""

    code = "unsupported_python"


class BusyError(Lfm2ColbertError):
    """Somebody else holds what is needed."""

    code = "busy"
    exit_status = 5


class DeadlineExceededError(BusyError):
    """Something was not done in the time it was given."""

    code = "deadline_exceeded"


class IndexLockedError(BusyError):
    """Another process writes this collection."""

    code = "index_locked"


class OverloadedError(BusyError):
    """More is asked than can be done."""

    code = "overloaded"


class RemoteError(Lfm2ColbertError):
    """A server could not be reached, or refused; what it said is in the message.

    Attributes:
        code: ``remote``, or the server's own, such as ``unauthenticated``.
    """

    code = "remote"
    exit_status = 6

    def __init__(self, message: str, *, help: str = "", code: str = "remote") -> None:
        """Keep a code that only servers have."""
        super().__init__(message, help=help)
        self.code = code


def suggestion(name: str, known: Iterable[str]) -> str:
    """Write the help for a mistyped name: the nearest one, then all of them."""
    names = sorted(known)
    if not names:
        return "there are none yet"
    near = difflib.get_close_matches(name, names, n=1)
    listed = "known: " + ", ".join(names)
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def class_of(code: str) -> type[Lfm2ColbertError] | None:
    """Give the class of the errors of a code; None: there is none."""
    return next((each for each in _tree(Lfm2ColbertError) if each.code == code), None)


def _tree(root: type[Lfm2ColbertError]) -> Iterator[type[Lfm2ColbertError]]:
    yield root
    for each in root.__subclasses__():
        yield from _tree(each)
