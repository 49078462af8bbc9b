"""Values of a Django project arrive correctly."""

import datetime
import decimal
import json
import pathlib
import zoneinfo

import katalys
import pytest
from asgiref.sync import async_to_sync
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override
from katalys.django import client as shared_client
from shop.models import Order

NEW_YEAR = datetime.datetime(2018, 1, 1, 1, 23, 40, tzinfo=zoneinfo.ZoneInfo("America/Los_Angeles"))


@pytest.fixture
def order():
    order = Order.objects.create(
        number="1001", placed=NEW_YEAR, total=decimal.Decimal("25.60"), email="email@example.com"
    )
    order.items.create(title="Wellness Bundle #4", sku="WB4", price=decimal.Decimal("12.80"))
    order.items.create(title="Grüner Tee", sku="GT", price=decimal.Decimal("6.40"), quantity=2)
    return order


@pytest.mark.django_db(transaction=True)
def test_a_paid_order_is_reported_after_the_commit(client, order, receiver, endpoint):
    assert client.get("/pay/1001").json() == {"status": "paid"}
    [record] = receiver.recorded(endpoint, wait=1)
    assert json.loads(record["body"]) == {
        "site_id": "abcd.com",
        "order_id": "1001",
        "order_status": "paid",
        "order_time": "2018-01-01 09:23:40+00:00",
        "sale_amount": "25.60",
        "email_address": "email@example.com",
        "line_item_1_title": "Wellness Bundle #4",
        "line_item_1_sku": "WB4",
        "line_item_1_price": "12.80",
        "line_item_1_qty": 1,
        "line_item_2_title": "Grüner Tee",
        "line_item_2_sku": "GT",
        "line_item_2_price": "6.40",
        "line_item_2_qty": 2,
    }


def payload(**fields):
    return json.loads(shared_client().validate_update("1001", fields).payload)


def test_lazily_translated_text_is_sent_in_the_language_of_the_moment(endpoint):
    city = gettext_lazy("January")
    with override("de"):
        assert payload(shipping_city=city)["shipping_city"] == "Januar"
    with override("fr"):
        assert payload(shipping_city=city)["shipping_city"] == "janvier"


def test_safe_strings_are_text(endpoint):
    assert payload(shipping_city=mark_safe("Zürich"))["shipping_city"] == "Zürich"
    assert payload(shipping_city=format_html("{}", "A&B"))["shipping_city"] == "A&amp;B"


def test_choices_are_their_values(endpoint):
    assert payload(order_status=Order.Status.REFUNDED)["order_status"] == "refunded"


def test_a_query_dict_gives_its_last_values(rf, endpoint):
    posted = rf.post("/", {"order_status": "paid"}).POST
    assert (
        json.loads(shared_client().validate_update("1001", posted).payload)["order_status"]
        == "paid"
    )


def test_there_is_one_client_until_its_settings_change(settings):
    first = shared_client()
    assert shared_client() is first
    settings.KATALYS = {"site_id": "other.com"}
    assert payload()["site_id"] == "other.com"
    settings.KATALYS = {"site_id": "other.com", "timeout": -1}
    with pytest.raises(katalys.ConfigError, match="timeout"):
        shared_client()


HEARD = []


def hear(event):
    HEARD.append(event.kind)


@pytest.mark.django_db(transaction=True)
def test_an_update_is_enqueued_with_the_commit_and_has_an_event(
    client, receiver, endpoint, settings, tmp_path
):
    outbox = {"outbox": tmp_path / "katalys.db", "on_event": "test_shop.hear"}
    settings.KATALYS = {**settings.KATALYS, **outbox}
    assert client.get("/enqueue/1001/first").json()["ticket"] == 1
    assert shared_client().flush() == 0
    [record] = receiver.recorded(endpoint, wait=1)
    assert json.loads(record["body"])["note"] == "first"
    shared_client().close()
    assert HEARD == ["accepted", "delivered"]


README = pathlib.Path(__file__).parents[2] / "bindings-python/README.md"
RECIPE = pathlib.Path(__file__).parent / "shop/reporting.py"


def test_the_recipe_equals_that_of_the_readme():
    assert f"```py\n{RECIPE.read_text()}```" in README.read_text()


@pytest.fixture
def two_orders(order):
    other = {"number": "1002", "placed": NEW_YEAR, "total": 5, "email": "email@example.com"}
    Order.objects.create(**other)


@pytest.mark.django_db(transaction=True)
def test_every_order_of_a_loop_is_reported(
    client, two_orders, receiver, endpoint, settings, tmp_path
):
    settings.KATALYS = {**settings.KATALYS, "outbox": tmp_path / "katalys.db"}
    assert client.get("/refund-all").json() == {"later": ["ran"]}
    assert shared_client().flush() == 0
    reported = [json.loads(record["body"]) for record in receiver.recorded(endpoint, wait=2)]
    assert {each["order_id"] for each in reported} == {"1001", "1002"}
    assert {each["order_status"] for each in reported} == {"refunded"}


@pytest.mark.django_db(transaction=True)
def test_a_report_that_fails_breaks_no_checkout(client, two_orders, settings, tmp_path, caplog):
    settings.KATALYS = {**settings.KATALYS, "outbox": tmp_path / "missing" / "katalys.db"}
    answer = client.get("/refund-all")
    assert (answer.status_code, answer.json()) == (200, {"later": ["ran"]})
    assert Order.objects.filter(status="refunded").count() == 2
    failed = [record for record in caplog.records if "on_commit" in record.getMessage()]
    assert [type(record.exc_info[1]) for record in failed] == [katalys.OutboxError] * 2


def test_a_view_reports_an_error_by_its_code(client, settings, receiver):
    _, url = receiver.endpoint("400")
    settings.KATALYS = {**settings.KATALYS, "endpoint": url}
    answer = client.get("/send/1")
    assert (answer.status_code, answer.json()) == (502, {"error": "rejected"})


def test_an_asynchronous_view_sends_concurrently(async_client, receiver, endpoint):
    answer = async_to_sync(async_client.get)("/send-many/1")
    assert answer.json() == {"sent": 10}
    assert len(receiver.recorded(endpoint, wait=10)) == 10
