"""The shop under gunicorn's uvicorn workers, which a signal ends without running Python's exit
functions."""

import concurrent.futures

from test_gunicorn import gunicorn
from test_gunicorn_outbox import deliver_the_rest

UVICORN = ("--worker-class", "uvicorn_worker.UvicornWorker")


def test_a_server_that_is_stopped_leaves_nothing_in_flight(receiver, tmp_path):
    run, endpoint = receiver.endpoint("slow=400")
    outbox = str(tmp_path / "katalys.db")
    with gunicorn(endpoint, *UVICORN, app="shop.asgi", SHOP_OUTBOX=outbox) as (process, ask):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, [f"enqueue/order-{n}/x" for n in range(30)]))
        receiver.recorded(run, wait=10)
        process.terminate()
        _, said = process.communicate(timeout=30)
        assert "Traceback" not in said
    stats = deliver_the_rest(endpoint, outbox)
    assert (stats.accepted, stats.delivered) == (30, 30)
    assert len(receiver.recorded(run, wait=30)) == 30, "nothing twice"
