"""Receipts, problems and errors: small, immutable, without customer data, picklable."""

import builtins
import copy
import logging
import pickle

import katalys
import pytest

PROBLEM = katalys.Problem("sale_amount", "amount_format", "sale_amount is odd", "error")
RECEIPT = katalys.Receipt(2, 0.25, [PROBLEM])


def an_error(**fields):
    with pytest.raises(katalys.Error) as caught:
        katalys.Client("abcd.com").update_order("1001", **fields)
    return caught.value


def test_a_receipt_has_attempts_time_and_warnings(receiver):
    run, endpoint = receiver.endpoint("503", "204")
    receipt = katalys.Client("abcd.com", endpoint=endpoint).update_order("1", order_status="Paid")
    assert receipt.attempts == 2
    assert 0 < receipt.elapsed < 10
    assert [warning.code for warning in receipt.warnings] == ["status_misspelled"]
    assert len(receiver.recorded(run, wait=2)) == 2


@pytest.mark.parametrize("value", [PROBLEM, RECEIPT, katalys.Validation(b"{}", [PROBLEM])])
def test_results_are_values(value):
    for copied in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert copied == value
    assert value != object()
    for name in ("attempts", "path", "payload", "problems", "new"):
        with pytest.raises(AttributeError):
            setattr(value, name, 1)


def test_a_problem_has_a_hash_and_a_sentence():
    assert len({PROBLEM, copy.copy(PROBLEM)}) == 1
    assert str(PROBLEM) == "sale_amount is odd [amount_format]"
    match PROBLEM:
        case katalys.Problem(path, code):
            assert (path, code) == ("sale_amount", "amount_format")


def test_changing_a_list_of_problems_changes_nothing_else():
    RECEIPT.warnings.clear()
    assert RECEIPT.warnings == [PROBLEM]


def test_a_validation_has_no_truth_value():
    validation = katalys.Client("abcd.com").validate_update("1001", sale_amount="$1")
    assert validation.ok is False
    assert validation.payload is None
    with pytest.raises(TypeError, match=r"\.ok"):
        bool(validation)


def test_nothing_shows_what_a_customer_entered():
    secret = "jane@secret.example"
    client = katalys.Client("abcd.com")
    validation = client.validate_update("1001", email_address=secret, sale_amount=secret)
    error = an_error(email_address=secret, currency=secret, ip_address=secret)
    valid = client.validate_update("1001", email_address=secret)
    for shown in (validation, valid, validation.problems, error, error.problems, client):
        assert "secret" not in repr(shown) + str(shown)


def test_a_validation_error_has_every_problem():
    error = an_error(sale_amount="$1", currency="ZZZ", order_time="soon")
    assert isinstance(error, katalys.ValidationError)
    found = [(problem.path, problem.code) for problem in error.problems]
    assert found == [
        ("order_time", "time_format"),
        ("sale_amount", "amount_format"),
        ("currency", "currency_unknown"),
    ]
    assert all(problem.message in str(error) for problem in error.problems)
    assert (error.code, error.retryable, error.attempts) == ("validation", False, 0)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("ConfigError", ValueError),
        ("ValidationError", ValueError),
        ("TransportError", ConnectionError),
        ("TimeoutError", builtins.TimeoutError),
        ("RejectedError", Exception),
        ("OutboxError", Exception),
    ],
)
def test_each_error_is_also_what_python_calls_it(name, base):
    cls = getattr(katalys, name)
    assert issubclass(cls, katalys.Error)
    assert issubclass(cls, base)
    assert cls.__module__ == "katalys"


def real_errors(receiver):
    yield an_error(sale_amount="$1")
    for step, options in (("400", {}), ("429:retry-after=60", {}), ("hang", {"timeout": 0.1})):
        _, endpoint = receiver.endpoint(step)
        with pytest.raises(katalys.Error) as caught:
            katalys.Client("abcd.com", endpoint=endpoint, **options).update_order("1")
        yield caught.value
    refused = katalys.Client("abcd.com", endpoint=receiver.ready["refused"], timeout=0.1)
    with pytest.raises(katalys.TransportError) as caught:
        refused.update_order("1")
    yield caught.value
    with pytest.raises(katalys.ConfigError) as caught:
        katalys.Client("abcd.com", timeout=-1)
    yield caught.value


def test_errors_survive_pickling_and_copying(receiver):
    errors = list(real_errors(receiver))
    assert len({type(error) for error in errors}) == 5
    for error in errors:
        error.note = "kept"
        for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(copied) is type(error)
            assert str(copied) == str(error)
            assert vars(copied) == vars(error)


def test_a_rejection_has_status_and_wait(receiver):
    _, endpoint = receiver.endpoint("429:retry-after=60")
    with pytest.raises(katalys.RejectedError) as caught:
        katalys.Client("abcd.com", endpoint=endpoint).update_order("1")
    error = caught.value
    assert (error.status, error.retry_after, error.retryable) == (429, 60.0, True)
    assert (error.code, error.attempts) == ("unavailable", 1)


def test_errors_can_be_made_by_hand_for_tests_of_ones_own():
    error = katalys.RejectedError("no", status=500, retryable=True)
    assert (error.code, error.status, error.retry_after) == ("rejected", 500, None)
    assert katalys.ValidationError("no", [PROBLEM]).problems == [PROBLEM]
    assert katalys.ValidationError("no").problems == []
    with pytest.raises(TypeError, match="statsu"):
        katalys.RejectedError("no", statsu=500)


def test_warnings_are_logged_once_per_code_and_client(caplog, receiver):
    _, endpoint = receiver.endpoint()
    client = katalys.Client("abcd.com", endpoint=endpoint)
    with caplog.at_level(logging.WARNING, logger="katalys"):
        for _ in range(3):
            client.update_order("1", order_status="Paid", email_address="secret")
        katalys.Client("abcd.com", endpoint=endpoint).update_order("1", order_status="Paid")
    codes = [record.getMessage().rsplit("[")[-1] for record in caplog.records]
    assert sorted(codes) == ["email_unusual]", "status_misspelled]", "status_misspelled]"]
    assert {record.name for record in caplog.records} == {"katalys"}
    assert "secret" not in caplog.text


def test_a_broken_log_handler_does_not_stop_an_update(receiver, monkeypatch, capsys):
    def broken(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(logging.getLogger("katalys"), "warning", broken)
    reported = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    _, endpoint = receiver.endpoint()
    client = katalys.Client("abcd.com", endpoint=endpoint)
    assert client.update_order("1", order_status="Paid").attempts == 1
    assert [str(each.exc_value) for each in reported] == ["disk full"]


def test_settings_that_cannot_work_fail_at_construction():
    for options, hint in [
        ({"timeout": 0}, "timeout"),
        ({"time_out": 5}, "did you mean timeout"),
        ({"endpoint": "db.revoffers.com"}, "endpoint"),
        ({"invalid": "ignore"}, '"raise" or "drop"'),
        ({"workers": True}, "workers"),
        ({"timezone": object()}, "timezone"),
    ]:
        with pytest.raises(katalys.ConfigError, match=hint):
            katalys.Client("abcd.com", **options)
    with pytest.raises(katalys.ConfigError, match="KATALYS_SITE_ID"):
        katalys.Client()
    with pytest.raises(katalys.ConfigError, match="did you mean timeout"):
        katalys.AsyncClient("abcd.com", time_out=5)


def test_paths_may_be_path_objects(receiver, tmp_path):
    import pathlib

    ca_file = pathlib.Path(receiver.ready["ca_file"])
    _, endpoint = receiver.endpoint(target="tls.good")
    client = katalys.Client("abcd.com", endpoint=endpoint, ca_file=ca_file)
    assert client.update_order("1").attempts == 1


def test_clients_say_why_they_cannot_be_pickled():
    for client in (katalys.Client("abcd.com"), katalys.AsyncClient("abcd.com")):
        with pytest.raises(TypeError, match="in each process"):
            pickle.dumps(client)


def test_clients_show_their_site_and_nothing_else():
    options = {"proxy": "http://user:hunter2@localhost:1"}
    assert repr(katalys.Client("abcd.com", **options)) == "<katalys.Client(abcd.com)>"
    assert repr(katalys.AsyncClient("abcd.com", **options)) == "<katalys.AsyncClient(abcd.com)>"


def test_a_client_can_be_extended():
    class Shop(katalys.Client):
        def paid(self, order):
            return self.validate_update(order, order_status="paid")

    assert Shop("abcd.com").paid("1").ok
