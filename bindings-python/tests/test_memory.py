"""Memory is flat once everything has been used for the first time."""

from support import run_python

MEASURE = """
    import asyncio, gc, logging, sys, decimal, datetime, katalys
    logging.disable()
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096
    client = katalys.Client("abcd.com", endpoint=sys.argv[1])
    background = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1])
    now = datetime.datetime.now(datetime.timezone.utc)
    good = {"order_status": "paid", "order_time": now, "sale_amount": decimal.Decimal("1.50"),
            "line_items": [{"title": "Zürich", "price": 1.5}], "note": "x" * 500}
    bad = {"sale_amount": "$1", "currency": object(), "order_status": "Paid", "\\ud800": 1}
    def validate(count):
        for _ in range(count):
            client.validate_update("1001", good)
            client.validate_update("1001", bad)
            try:
                client.update_order("1001", bad)
            except katalys.Error:
                pass
    def send(count):
        for number in range(count):
            client.update_order(number, good)
    async def gather(count):
        for start in range(0, count, 20):
            calls = [background.update_order(n, good) for n in range(start, start + 20)]
            tasks = [asyncio.ensure_future(call) for call in calls]
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    tray = katalys.Client("abcd.com", endpoint=sys.argv[1], outbox=sys.argv[2],
                          durability="normal", on_event=lambda event: None)
    def enqueue(count):
        for number in range(count):
            tray.enqueue_update(number % 50, good)
            if number % 100 == 0:
                tray.stats()
        tray.flush()
    def loops(count):
        for _ in range(count // 50):
            asyncio.run(gather(20))
    def growth(action, count):
        # What grows in every round is a leak; what grows once is the runtime's own arenas.
        action(count)
        least = sys.maxsize
        for _ in range(5):
            gc.collect()
            before = resident()
            action(count)
            gc.collect()
            least = min(least, resident() - before)
            if least < 1024 * 1024:
                break
        return least
    print(growth(validate, 30000), growth(send, 3000),
          growth(lambda count: asyncio.run(gather(count)), 4000), growth(loops, 2000),
          growth(enqueue, 3000))
"""
ALLOWED = 1024 * 1024


def test_memory_is_flat_after_a_warm_up(receiver, tmp_path):
    _, endpoint = receiver.endpoint()
    outbox = str(tmp_path / "katalys.db")
    printed = run_python(MEASURE, endpoint, outbox, timeout=300, env={"PYTHONDEVMODE": ""})
    names = ["validate", "send", "async", "loops", "enqueue"]
    growths = dict(zip(names, map(int, printed.split()), strict=True))
    assert all(growth < ALLOWED for growth in growths.values()), growths
