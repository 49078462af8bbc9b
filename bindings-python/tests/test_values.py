"""How Python's values are converted, in the order in which they are recognised."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import itertools
import time
import types
import uuid
import zoneinfo

import katalys
import numpy
import pytest

CLIENT = katalys.Client("abcd.com")


def sent(**fields):
    """The value of the one field, as JSON text."""
    result = CLIENT.validate_update("1", fields)
    assert result.ok, result.problems
    prefix = b'{"site_id":"abcd.com","order_id":"1",'
    assert result.payload.startswith(prefix)
    return result.payload[len(prefix) : -1].decode()


def problems(*args, **fields):
    result = CLIENT.validate_update(*args or ("1",), **fields)
    return [(p.code, p.path) for p in result.problems if p.severity == "error"]


class Shouting(str):
    def __str__(self):
        return "not this"


class Status(enum.Enum):
    PAID = "paid"


class MixedStatus(str, enum.Enum):
    PAID = "paid"


class Number(enum.IntEnum):
    TWO = 2


@pytest.mark.parametrize("value", ["paid", Shouting("paid"), Status.PAID, MixedStatus.PAID])
def test_text_in_all_its_guises(value):
    assert sent(order_status=value) == '"order_status":"paid"'


@pytest.mark.parametrize(
    "value",
    [2, Number.TWO, numpy.int64(2), numpy.uint8(2), "2", 2.0, numpy.float64(2), numpy.float32(2)],
)
def test_whole_numbers_in_all_their_guises(value):
    assert sent(order_count=value) == '"order_count":2'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (25, "25"),
        (25.67, "25.67"),
        (decimal.Decimal("25.670"), "25.670"),
        (decimal.Decimal("1E+2"), "100"),
        (numpy.float64("25.67"), "25.67"),
        (numpy.float32("25.67"), "25.67"),
        (10**25, "1" + "0" * 25),
        (2**63, str(2**63)),
        (-(2**63), str(-(2**63))),
    ],
)
def test_amounts(value, text):
    assert sent(sale_amount=value) == f'"sale_amount":"{text}"'


def test_a_bool_is_not_a_number():
    for flag in (True, numpy.bool_(True)):
        assert problems(sale_amount=flag) == [("wrong_type", "sale_amount")]


def test_numbers_beyond_64_bits_are_no_trouble():
    assert sent(order_alias=10**30) == f'"order_alias":"{10**30}"'
    assert problems(sale_amount=10**30) == [("amount_too_long", "sale_amount")]
    assert problems(sale_amount=10**5000) == [("wrong_type", "sale_amount")]


def test_times():
    zone = zoneinfo.ZoneInfo("America/Los_Angeles")
    aware = datetime.datetime(2018, 1, 1, 1, 23, 40, 999999, tzinfo=zone)
    assert sent(order_time=aware) == '"order_time":"2018-01-01 01:23:40-08:00"'
    assert problems(order_time=aware.replace(tzinfo=None)) == [("time_no_offset", "order_time")]
    assert problems(order_time=aware.date()) == [("time_format", "order_time")]
    assert problems(order_time=aware.time()) == [("wrong_type", "order_time")]
    in_berlin = katalys.Client("abcd.com", timezone="Europe/Berlin")
    naive = in_berlin.validate_update("1", order_time=datetime.datetime(2018, 7, 1))
    assert b"2018-07-01 00:00:00+02:00" in naive.payload


def test_order_ids():
    number = uuid.UUID("12345678-1234-5678-1234-567812345678")
    assert str(number).encode() in CLIENT.validate_update(number).payload
    assert b'"order_id":"1001"' in CLIENT.validate_update(1001).payload
    assert b'"order_id":"1001"' in CLIENT.validate_update(order_id="1001").payload
    assert problems(None) == [("required", "order_id")]
    assert problems("") == [("empty", "order_id")]
    for wrong in (True, [1], {"a": 1}, 1.5, b"1001", object()):
        assert problems(wrong) == [("wrong_type", "order_id")]


@dataclasses.dataclass
class Item:
    title: str
    price: decimal.Decimal
    var: str | None = None


class FrozenItem(collections.namedtuple("FrozenItem", "title price")):
    __slots__ = ()


@pytest.mark.parametrize(
    "item",
    [
        {"title": "A", "price": "1.50"},
        collections.OrderedDict(title="A", price="1.50"),
        types.MappingProxyType({"title": "A", "price": "1.50"}),
        collections.UserDict(title="A", price="1.50"),
        Item("A", decimal.Decimal("1.50")),
        FrozenItem("A", decimal.Decimal("1.50")),
    ],
)
def test_records_in_all_their_guises(item):
    for items in ([item], (item,)):
        expected = '"line_item_1_title":"A","line_item_1_price":"1.50"'
        assert sent(line_items=items) == expected


def test_a_dict_subclass_is_asked_for_its_own_items():
    class Query(dict):
        def items(self):
            return [(key, values[-1]) for key, values in super().items()]

    assert CLIENT.validate_update("1", Query(order_status=["x", "paid"])).ok


def test_fields_come_as_keywords_as_a_mapping_and_as_both():
    expected = CLIENT.validate_update("1", order_status="paid", billing_city="X").payload
    assert CLIENT.validate_update("1", {"order_status": "paid", "billing_city": "X"}).payload == (
        expected
    )
    both = CLIENT.validate_update("1", {"billing_city": "X"}, order_status="paid")
    assert both.payload == expected
    assert CLIENT.validate_update("1", fields={"billing_city": "X"}, order_status="paid").payload

    @dataclasses.dataclass
    class Update:
        order_status: str
        billing_city: str

    assert CLIENT.validate_update("1", Update("paid", "X")).payload == expected
    twice = problems("1", {"order_status": "paid"}, order_status="paid")
    assert twice == [("duplicate_field", "order_status")]


def test_fields_that_are_no_mapping_are_refused_by_name():
    for wrong in ("paid", [("order_status", "paid")], 5, object()):
        with pytest.raises(
            katalys.Error, match=rf"mapping or a dataclass, not {type(wrong).__name__}"
        ):
            CLIENT.update_order("1", wrong)


def test_what_has_no_place_in_an_update_is_an_error_of_its_field():
    class Lazy:
        def __str__(self):
            return "not asked"

    for wrong in (object(), b"x", bytearray(b"x"), {1, 2}, Lazy(), Item, print, 1j, ...):
        assert problems(shipping_city=wrong) == [("wrong_type", "shipping_city")]
    for wrong in ({1: 2}, "A", 5, numpy.array(1)):
        assert problems(line_items=wrong) == [("wrong_type", "line_items")]
    assert problems(line_items=[["A"]]) == [("wrong_type", "line_items[0]")]
    assert problems(sale_amount=fractions.Fraction(1, 3)) == [("wrong_type", "sale_amount")]
    assert problems(sale_amount=numpy.array([1.5])) == [("wrong_type", "sale_amount")]


def test_text_with_lone_surrogates_is_an_error_of_its_field():
    assert problems(shipping_city="\ud800") == [("invalid_unicode", "shipping_city")]
    [(code, path)] = problems("1", {"a\ud800": "x"})
    assert code == "key_invalid"
    assert path.startswith("a")


@pytest.mark.parametrize("key", [1, None, (1, 2), b"x", True, 1.5])
def test_a_key_that_is_not_text_is_an_error(key):
    said = f"(a key of type {type(key).__name__})"
    assert problems("1", {key: "x"}) == [("key_invalid", said)]
    wrong = [{"title": "A", key: "x"}]
    assert problems(line_items=wrong) == [("key_invalid", f"line_items[0].{said}")]


def test_keys_may_be_members_of_enums():
    class Key(enum.Enum):
        STATUS = "order_status"

    assert b'"order_status":"paid"' in CLIENT.validate_update("1", {Key.STATUS: "paid"}).payload


class Hostile:
    """The caller's code fails, or has unusual effects, while its value is read."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __index__(self):
        raise RuntimeError("no")

    @property
    def __class__(self):
        raise RuntimeError("no")


def test_exceptions_in_the_callers_code_become_problems():
    class BadTime(datetime.datetime):
        def isoformat(self, *_):
            raise RuntimeError("no")

    for wrong in (Hostile(), BadTime(2018, 1, 1)):
        assert problems(shipping_city=wrong) == [("wrong_type", "shipping_city")]


class DatabaseError(Exception):
    pass


class BrokenMapping(collections.UserDict):
    def items(self):
        raise DatabaseError


class BrokenQuery:
    def __iter__(self):
        raise DatabaseError


def broken_halfway():
    yield {"title": "A"}
    raise DatabaseError


@pytest.mark.parametrize("wrong", [BrokenMapping, BrokenQuery, broken_halfway])
def test_what_fails_while_it_is_read_is_raised_as_it_is(wrong):
    with pytest.raises(DatabaseError):
        CLIENT.validate_update("1", line_items=wrong())
    with pytest.raises(DatabaseError):
        CLIENT.validate_update("1", BrokenMapping())
    with pytest.raises(DatabaseError):
        CLIENT.validate_update("1", line_items=[BrokenMapping()])


ITEMS = [{"title": "A", "sku": "1"}, {"title": "B"}]


@pytest.mark.parametrize(
    "items",
    [
        lambda: (item for item in ITEMS),
        lambda: map(dict, ITEMS),
        lambda: filter(None, [*ITEMS, None]),
        lambda: collections.deque(ITEMS),
        lambda: dict(enumerate(ITEMS)).values(),
        lambda: numpy.array(ITEMS),
        lambda: iter(ITEMS),
        lambda: collections.UserList(ITEMS),
        lambda: tuple(ITEMS),
    ],
)
def test_lists_may_be_anything_that_can_be_iterated_over(items):
    assert sent(line_items=items()) == (
        '"line_item_1_title":"A","line_item_1_sku":"1","line_item_2_title":"B"'
    )
    codes = (item for item in [{"code": "TEN", "amount": 1}])
    assert sent(discounts=codes) == '"discount_1_code":"TEN","discount_1_amount":"1"'


@pytest.mark.parametrize(
    "wrong", ["AB", b"AB", bytearray(b"AB"), memoryview(b"AB"), 3, Status.PAID]
)
def test_what_is_no_list(wrong):
    assert problems(line_items=wrong) == [("wrong_type", "line_items")]


def test_what_has_no_end_ends():
    began = time.monotonic()
    assert not CLIENT.validate_update("1", line_items=itertools.repeat({"title": "x"})).ok
    assert not CLIENT.validate_update("1", {f"own_{n}": "x" for n in range(1_000_000)}).ok
    assert time.monotonic() - began < 5


def test_the_second_of_two_equal_times_at_the_end_of_summer():
    client = katalys.Client("abcd.com", timezone="Europe/Berlin")
    for fold, offset in ((0, "+02:00"), (1, "+01:00")):
        twice = datetime.datetime(2023, 10, 29, 2, 30, fold=fold)
        payload = client.validate_update("1", order_time=twice).payload
        assert f'"2023-10-29 02:30:00{offset}"'.encode() in payload


def test_an_interrupt_is_not_swallowed():
    class Interrupted(collections.UserDict):
        def items(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CLIENT.validate_update("1", shipping_city=Interrupted())


def test_values_may_change_the_dict_they_stand_in():
    fields = {}

    class Meddler(collections.UserDict):
        def items(self):
            fields.clear()
            return []

    fields.update(meddler=Meddler(), **{f"own_{n}": "x" * 50 for n in range(100)})
    assert problems("1", fields) == [("wrong_type", "meddler")]


def test_what_contains_itself_has_an_end():
    loop = []
    loop.extend([loop] * 1000)
    assert ("wrong_type", "line_items[0]") in problems(line_items=loop)
    record = {}
    record["title"] = record
    assert problems(line_items=[record]) == [("wrong_type", "line_items[0].title")]


def test_names_that_python_itself_uses_are_fields_like_others():
    assert sent(self="x") == '"self":"x"'
    assert sent(call="x", py="y") == '"call":"x","py":"y"'
