"""Every error a user can meet: what is wrong (given, allowed) and how to mend it.

    GlassworksError
    ├── InputError            the request, job file, data or reference is wrong   (exit code 2)
    │   ├── ConfigError       a job file or --set value
    │   ├── DataError         a data source
    │   ├── NotFound          a model, version, alias or file that is not there
    │   ├── Unsupported       a capability that this model or machine does not have
    │   │   └── Infeasible    no candidate keeps all limits of an objective
    │   ├── MissingLibrary    an optional library that is not installed
    │   ├── Conflict          its state does not allow what was asked
    │   │   ├── Changed       somebody else has changed it meanwhile
    │   │   └── Unconditional  a change that does not say of which state
    │   ├── Unauthenticated   no valid access key was sent
    │   └── Forbidden         the access key does not allow this
    ├── BundleError           a bundle that must not be trusted                    (exit code 1)
    │   ├── Tampered          a file that differs from its recorded hash, or is missing
    │   ├── UnsafePath        a path that leaves the bundle, or a link
    │   └── NewerFormat       written by a newer Glassworks
    ├── RegistryError         the registry or its store cannot be used
    ├── TrainingError         training diverged or cannot go on
    │   └── UnderWay          another process trains the same job
    ├── Cancelled             somebody stopped a long operation                 (exit code 130)
    ├── StorageError          the disk is full or not writable
    └── ServingError          the server cannot start or is overloaded
        ├── Overloaded        the queue is full or the server is stopping
        │   └── LimitExceeded  an access key has used up its rate, or has too much under way
        │       └── QuotaSpent  an access key has used up its day
        └── DeadlineExceeded  the time that the request gave itself is over

No transport is known here: a server maps these classes to its own codes.
"""

from __future__ import annotations


class GlassworksError(Exception):
    """A problem with its mend. `str(error)` is two lines, as the command line prints them."""

    exit_code = 1

    def __init__(self, problem: str, mend: str) -> None:
        # A library's own message may hold several lines; an error is two.
        self.problem = " ".join(problem.split())
        self.mend = " ".join(mend.split())
        super().__init__(self.problem, self.mend)

    def __str__(self) -> str:
        return f"{self.problem}\nmend: {self.mend}"


class InputError(GlassworksError):
    """What was given is wrong."""

    exit_code = 2


class ConfigError(InputError):
    """A job file or a `--set` value is wrong."""


class DataError(InputError):
    """A data source cannot be used as it is. Data may be quoted in it: what is long is cut in its middle."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(_cut(problem), _cut(mend))


class NotFound(InputError):
    """A model, version, alias or file is not there."""


class Unsupported(InputError):
    """A capability that this model, library or machine does not have."""


class Infeasible(Unsupported):
    """No candidate of a search keeps all limits: it was tried, and nothing is published."""

    exit_code = 1


class MissingLibrary(InputError):
    """An optional library is not installed."""


class Conflict(InputError):
    """The state of something does not allow what was asked."""


class Changed(Conflict):
    """Somebody else has changed it since it was read."""


class Unconditional(Conflict):
    """A change that does not say which state it is of, where two people may change the same."""


class Unauthenticated(InputError):
    """No valid access key was sent."""


class Forbidden(InputError):
    """The access key does not allow this."""


class BundleError(GlassworksError):
    """A bundle cannot be read or must not be trusted."""


class Tampered(BundleError):
    """A file differs from its recorded SHA-256, is missing, or is not listed."""


class UnsafePath(BundleError):
    """A path leaves the bundle, or is a link."""


class NewerFormat(BundleError):
    """The bundle was written by a newer Glassworks."""


class RegistryError(GlassworksError):
    """The registry's database or store cannot be used."""


class TrainingError(GlassworksError):
    """Training diverged or cannot go on."""


class UnderWay(TrainingError):
    """Another process trains the same job on the same data."""


class Cancelled(GlassworksError):
    """A long operation was stopped by `Progress.cancel`; nothing is half-written, and its run can go on."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted; nothing is half-written", "give the same command again to go on")


class StorageError(GlassworksError):
    """The disk is full or not writable; nothing half-written is left."""


class ServingError(GlassworksError):
    """The server cannot start."""


class Overloaded(ServingError):
    """The queue is full or the server is stopping: try again after `retry_after_s`."""

    def __init__(self, problem: str, mend: str, retry_after_s: int = 1) -> None:
        super().__init__(problem, mend)
        self.retry_after_s = retry_after_s


class LimitExceeded(Overloaded):
    """An access key has used up its rate or its daily quota: try again after `retry_after_s`."""


class QuotaSpent(LimitExceeded):
    """What an access key may use in a day is used up: sending the same again by itself helps nothing."""


class DeadlineExceeded(ServingError):
    """The time that the request gave itself is over."""


_LONGEST = 300


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 105]} ... {text[-100:]}"
