"""Explains errors of file systems and object stores: their cause, their HTTP status, and what to do about them."""

CONNECT_TIMEOUT_SECONDS = 4.0
"""Seconds to wait for a server's first answer. By default its client would keep trying for minutes."""


def root_cause(error: BaseException) -> str:
    """The innermost cause in one line. botocore and aiohttp wrap it up to five times."""
    while error.__cause__ is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_SECONDS:.0f} s"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def statuses(error: BaseException | None) -> list[int]:
    """The HTTP statuses in the chain of `error`, the latest first. Unlike messages they are the same on all servers."""
    codes = []
    while error is not None:
        if isinstance(answer := getattr(error, "response", None), dict):  # botocore's ClientError
            codes.append(int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))
        error = error.__cause__ or error.__context__
    return [code for code in codes if code]


def is_missing(error: BaseException) -> bool:
    """Whether `error` means that nothing is there. A 404 counts even without a body, or with the body of a proxy."""
    return isinstance(error, FileNotFoundError) or statuses(error)[:1] == [404]


def way_out(status: int | None) -> str:
    """Advice for a server that answered with `status`; None: it did not answer."""
    keys = "the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    if status in (401, 403):
        return f"check {keys}, and that they may read, list and write"
    if status is None or status == 400:
        return f"check its url, AWS_ENDPOINT_URL and {keys}"
    if status == 429 or status >= 500:
        return "run again when the server has recovered"
    if status == 404:
        return "check its url and AWS_ENDPOINT_URL"
    return "its server does not answer as S3 does; give another store, or ask its operator"
