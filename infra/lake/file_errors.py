"""What the errors of file systems and object stores say: their cause, their HTTP status, and what to do about it."""

CONNECT_TIMEOUT_SECONDS = 4.0
"""Seconds in which a server must answer for the first time; its client would go on trying for minutes."""


def root_cause(error: BaseException) -> str:
    """The innermost cause in one line: what botocore and aiohttp wrap five times over."""
    while error.__cause__ is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_SECONDS:.0f} s"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def statuses(error: BaseException | None) -> list[int]:
    """The HTTP statuses in the chain of `error`, the last answer first; their words differ from server to server."""
    found = []
    while error is not None:
        if isinstance(answer := getattr(error, "response", None), dict):  # of botocore's ClientError
            found.append(int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))
        error = error.__cause__ or error.__context__
    return [status for status in found if status]


def is_missing(error: BaseException) -> bool:
    """Whether it says that nothing is there, also where a server's 404 has no body or that of a proxy."""
    return isinstance(error, FileNotFoundError) or statuses(error)[:1] == [404]


def way_out(status: int | None) -> str:
    """What to do about a server that answered by `status`, or by nothing."""
    keys = "the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    if status in (401, 403):
        return f"check {keys}, and that they may read, list and write"
    if status is None or status == 400:
        return f"check its url, AWS_ENDPOINT_URL and {keys}"
    if status == 429 or status >= 500:
        return "run again when the server is well"
    if status == 404:
        return "check its url and AWS_ENDPOINT_URL"
    return "its server does not answer as S3 does; give another store, or ask who runs it"
