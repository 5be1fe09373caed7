"""Refusals in Salesforce's shapes: a list from the data API, one object from the token endpoint."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A whole call that is refused. `body` is sent as it is."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


class RowError(Exception):
    """One record that is refused."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = list(fields)

    def entry(self) -> Json:
        """The entry of a collections answer, which says `statusCode` where whole answers say `errorCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def whole(self, status: int = 400) -> ApiError:
        """The same as the answer to a call about this record alone."""
        fields = {"fields": self.fields} if self.fields else {}
        return ApiError(status, [{"message": self.message, "errorCode": self.code, **fields}])


def refused(status: int, code: str, message: str) -> ApiError:
    """A refusal of the data API."""
    return ApiError(status, [{"message": message, "errorCode": code}])


def no_token(error: str, description: str) -> ApiError:
    """A refusal of the token endpoint."""
    return ApiError(400, {"error": error, "error_description": description})


def unknown_object(name: str) -> ApiError:
    """404 for an object that does not exist, or is not visible to this user."""
    return refused(404, "NOT_FOUND", f"The requested resource does not exist: {name}")


def no_column(field: str, object_name: str) -> RowError:
    """A field that does not exist, or that this user may not see: the two are answered alike."""
    return RowError(
        "INVALID_FIELD",
        f"No such column '{field}' on sobject of type {object_name}",
        (),
    )
