"""A lost server is tried again, soon at first and then ever later, up to a bound."""

import time

from infra.engines.common.server_pool import FIRST_PROBE_SECONDS, MAX_PROBE_SECONDS, ServerPool


def test_the_delay_before_a_lost_server_is_tried_again_doubles_up_to_a_bound_and_starts_anew() -> None:
    pool = ServerPool(("http://a/v1", "http://b/v1"), outage_seconds=60)
    lost, _ = pool.servers

    def check_delay(seconds: float) -> None:
        before = time.monotonic()
        pool.mark_unreachable(lost, "refused")
        assert before + seconds <= lost.retry_at <= time.monotonic() + seconds

    for failures in range(7):
        check_delay(min(MAX_PROBE_SECONDS, FIRST_PROBE_SECONDS * 2**failures))
    pool.mark_success(lost)
    check_delay(FIRST_PROBE_SECONDS)
