"""What a typed project writes. Checked by mypy and pyright, never run."""

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

import katalys
from katalys.testing import Order, Sandbox, SandboxError
from typing_extensions import assert_type

if TYPE_CHECKING:
    from katalys._fields import ErrorCode, LineItem, OrderFields, ProblemCode


class Status(enum.Enum):
    PAID = "paid"


@dataclasses.dataclass
class Item:
    title: str
    price: decimal.Decimal


client = katalys.Client("abcd.com", timeout=2.5, invalid="drop", ca_file=None)
assert_type(client.update_order("1001", order_status="paid"), katalys.Receipt)
client.update_order(
    uuid.uuid4(),
    order_status=Status.PAID,
    order_time=datetime.datetime.now(datetime.timezone.utc),
    sale_amount=decimal.Decimal("25.67"),
    line_items=[Item("Tea", decimal.Decimal("6.40")), {"title": "Cup", "price": 3}],
    discounts=[{"code": "TEN", "amount": "2.50"}],
)
client.update_order(1001, {"billing_city": "Berlin", "line_item_1_title": "Tea"}, currency="EUR")


@dataclasses.dataclass
class Update:
    order_status: str


client.update_order("1001", Update("paid"))


def from_a_mapping(fields: Mapping[str, object]) -> katalys.Receipt:
    return client.report_order("1001", fields)


def from_keywords(fields: "OrderFields", item: "LineItem") -> None:
    client.update_order("1001", {"line_items": [item]}, **fields)


validation = client.validate_update("1001", order_status="paid")
assert_type(validation.payload, bytes | None)
assert_type(validation.problems, list[katalys.Problem])


def codes(problem: katalys.Problem, error: katalys.Error) -> "tuple[ProblemCode, ErrorCode]":
    return problem.code, error.code


async def asynchronous() -> float:
    background = katalys.AsyncClient("abcd.com")
    receipt = await background.update_order("1001", order_status="paid")
    assert_type(receipt, katalys.Receipt)
    return receipt.elapsed


def heard(event: katalys.Event) -> None:
    if event.kind == "dead_lettered":
        assert_type(event.status, int | None)


with katalys.Client("abcd.com", outbox="katalys.db", collapse=True, on_event=heard) as tray:
    assert_type(tray, katalys.Client)
    assert_type(tray.enqueue_update("1001", order_status="paid"), katalys.Ticket)
    assert_type(tray.enqueue_report("1001", Update("paid")).id, int)
    assert_type(tray.flush(timeout=1), int)
    assert_type(tray.stats(), katalys.Stats)
    for letter in tray.dead_letters(after=3, limit=10):
        assert_type(letter.died_at, datetime.datetime)
        assert_type(tray.edit(letter.id, currency="EUR"), bool)
        assert_type(tray.replay(letter.id), bool)


async def asynchronous_outbox() -> int:
    async with katalys.AsyncClient("abcd.com", outbox="katalys.db") as background:
        ticket = await background.enqueue_update("1001", order_status="paid")
        assert_type((await background.stats()).pending, int)
        return ticket.id


try:
    client.update_order("1001")
except katalys.OutboxFullError as error:
    assert_type(error.retryable, bool)
except katalys.ValidationError as error:
    assert_type(error.problems, list[katalys.Problem])
except katalys.RejectedError as error:
    assert_type(error.status, int)
    assert_type(error.retry_after, float | None)
except (katalys.TimeoutError, katalys.TransportError) as error:
    assert_type(error.retryable, bool)


def test_with_the_fixture(katalys_sandbox: Sandbox) -> None:
    assert_type(katalys_sandbox.wait_for(1001, status="paid", timeout=1.5), Order)
    assert_type(katalys_sandbox.order("1001", "abcd.com")["merged_from"], list[str])
    assert_type(katalys_sandbox.orders(status="paid", from_="2018-01-01")["total"], int)
    assert_type(katalys_sandbox.updates(since=3)["more"], bool)
    katalys_sandbox.fault(status=503, next=2)
    katalys_sandbox.clear()


def without_pytest() -> int | None:
    try:
        with Sandbox(command="katalys") as sandbox:
            katalys.Client("abcd.com", endpoint=sandbox.endpoint)
    except SandboxError as error:
        return error.status
    return None
