"""Any value gives a clean result or an error of this package, and a correct payload."""

import datetime
import decimal
import enum
import json
import uuid

import katalys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CLIENT = katalys.Client("abcd.com")
DROPPING = katalys.Client("abcd.com", invalid="drop", timezone="UTC")


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None
    LIST = (1, 2)


TEXT = st.text(st.characters())
KEYS = st.one_of(
    TEXT,
    st.sampled_from(
        ["order_status", "order_time", "sale_amount", "currency", "discounts", "line_items",
         "discount_1_code", "discount_1_amount", "line_item_1_qty", "lineitem_2_sku", "site_id",
         "order_id", "ip_address", "title", "price", "amount", "code"]
    ),
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.binary(), st.complex_numbers(),
    st.decimals(), st.datetimes(), st.datetimes(timezones=st.timezones()), st.dates(),
    st.times(), st.timedeltas(), st.uuids(), st.fractions(), st.sampled_from(Colour),
    st.just(object()), st.just(Colour), st.just(print), st.just(decimal.Decimal("sNaN")),
)  # fmt: skip
HASHABLE = st.one_of(KEYS, st.integers(), st.none(), st.tuples(st.text()), st.uuids())
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(KEYS, HASHABLE), inner, max_size=4),
        st.lists(inner, max_size=3).map(iter),
    ),
    max_leaves=20,
)
MANY = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(ANYTHING, st.dictionaries(st.one_of(KEYS, HASHABLE), ANYTHING, max_size=8))
def test_any_object_gives_a_result_or_an_error_of_this_package(order_id, fields):
    for client in (CLIENT, DROPPING):
        for validate in (client.validate_update, client.validate_report):
            check(validate(order_id, fields))


@MANY
@given(ANYTHING)
def test_fields_may_be_anything(fields):
    try:
        check(CLIENT.validate_update("1", fields))
    except katalys.Error as error:
        assert error.code == "misuse"


def check(result):
    """The payload is flat JSON of non-empty strings and numbers; without one, there are errors."""
    errors = [problem for problem in result.problems if problem.severity == "error"]
    assert result.ok == (not errors)
    for problem in result.problems:
        repr(problem), str(problem)
    if result.ok:
        payload = json.loads(result.payload)
        assert {"site_id", "order_id"} <= set(payload)
        for value in payload.values():
            assert type(value) in (str, int, float)
            assert value != ""


@MANY
@given(st.dictionaries(KEYS, ANYTHING, max_size=4))
def test_options_may_be_anything(options):
    options.pop("site_id", None)
    usable = {key: value for key, value in options.items() if is_text(key)}
    try:
        katalys.Client("abcd.com", **usable)
    except katalys.ConfigError as error:
        assert usable, error
    else:
        assert not usable


def is_text(key):
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


@MANY
@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, max_value=10**20, min_value=0))
def test_decimals_arrive_digit_by_digit(amount):
    payload = json.loads(CLIENT.validate_update("1", sale_amount=amount).payload)
    assert decimal.Decimal(payload["sale_amount"]) == amount
    assert payload["sale_amount"] == f"{amount:f}"


@MANY
@given(st.integers(min_value=-(10**29), max_value=10**29))
def test_integers_arrive_digit_by_digit(amount):
    payload = json.loads(CLIENT.validate_update("1", sale_amount=amount, sku=amount).payload)
    assert payload["sale_amount"] == str(amount)
    assert int(payload["sku"]) == amount


@MANY
@given(st.datetimes(timezones=st.timezones(), min_value=datetime.datetime(1900, 1, 1)))
def test_times_arrive_to_the_second(moment):
    result = CLIENT.validate_update("1", order_time=moment)
    assert result.ok, result.problems
    sent = json.loads(result.payload)["order_time"]
    # fold and gaps: the moment is what isoformat says it is.
    expected = datetime.datetime.fromisoformat(moment.isoformat()).replace(microsecond=0)
    assert datetime.datetime.fromisoformat(sent) == expected


@MANY
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_text_arrives_as_it_is(text):
    result = CLIENT.validate_update("1", shipping_city=text)
    if text.strip():
        assert json.loads(result.payload)["shipping_city"] == text
    else:
        assert [problem.code for problem in result.problems] == ["empty"]


@MANY
@given(st.uuids())
def test_uuids_arrive_as_text(number):
    assert json.loads(CLIENT.validate_update(number).payload)["order_id"] == str(
        uuid.UUID(str(number))
    )
