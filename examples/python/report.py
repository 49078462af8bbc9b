"""Reports a paid order from Python, then its refund."""

from datetime import datetime, timezone
from decimal import Decimal

import katalys

client = katalys.Client("abcd.com")
try:
    client.report_order(
        "PY-1001",
        order_status="paid",
        order_time=datetime(2018, 1, 1, 9, 23, 40, tzinfo=timezone.utc),
        sale_amount=Decimal("25.67"),
        shipping_amount=Decimal("4.99"),
        tax_amount=Decimal("1.48"),
        email_address="email@example.com",
        line_items=[{"title": "Wellness Bundle #4", "sku": "WLNS_BUNDLE_4", "price": "19.20"}],
    )
    receipt = client.update_order("PY-1001", order_status="refunded")
    print(f"python: received after {receipt.attempts} attempt(s)")
except katalys.ValidationError as error:
    for problem in error.problems:
        print(problem.code, problem.message)
    raise
