"""What can go wrong with a catalog.

CatalogError
├── ContractError        (ValueError)         a record, an item or a folder that breaks the contract
├── NotACatalogError     (ValueError)         an address that holds no STAC catalog
├── MissingAssetError    (FileNotFoundError)  a file that the catalog names and that is not there
├── UnsafeHrefError      (ValueError)         an href that leaves the catalog's folder
├── MissingBandError     (KeyError)           a band that an item lacks
├── CatalogUnreachableError (OSError)         an address that does not answer
└── StorageError         (OSError)            a cache that cannot be written, a disk that is full

Each message says what is wrong, with the value; what was expected; and what to do.
"""

from typing import ClassVar


class CatalogError(Exception):
    """Any failure of reading or writing a catalog that its user can act on."""

    exit_code: ClassVar[int] = 2
    """What a command leaves with."""


class ContractError(CatalogError, ValueError):
    """A record, an item or a folder that breaks the contract."""


class NotACatalogError(CatalogError, ValueError):
    """An address that answers, but holds no STAC catalog."""


class MissingAssetError(CatalogError, FileNotFoundError):
    """A file that the catalog names and that is not there."""


class UnsafeHrefError(CatalogError, ValueError):
    """An href that leaves the catalog's folder."""


class MissingBandError(CatalogError, KeyError):
    """A band that an item lacks."""

    def __str__(self) -> str:
        """Give the sentence itself; KeyError would show its repr."""
        return str(self.args[0]) if self.args else ""


class CatalogUnreachableError(CatalogError, OSError):
    """An address that does not answer."""

    exit_code: ClassVar[int] = 4


class StorageError(CatalogError, OSError):
    """A cache that cannot be written, a disk that is full."""
