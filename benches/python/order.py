"""The order to send, and a pydantic model that checks each field as strictly as the package."""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

ORDER = {
    "order_status": "paid",
    "order_time": "2018-01-01 01:23:40-08:00",
    "order_count": 2,
    "sale_amount": "25.67",
    "subtotal_amount": "20.00",
    "shipping_amount": "4.19",
    "tax_amount": "1.48",
    "currency": "EUR",
    "email_address": "email@example.com",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "ip_address": "93.184.215.14",
    "shipping_city": "Zürich",
    "shipping_state": "ZH",
    "shipping_postal": "8000",
    "shipping_country": "CH",
    "discount_1_code": "REVOFFERS_EXAMPLE",
    "discount_1_amount": "1.50",
    "line_item_1_title": "Wellness Bundle #4",
    "line_item_1_sku": "WLNS_BUNDLE_4",
    "line_item_1_price": "1.99",
}

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]
# Text, not Decimal: the digits must arrive unchanged.
Amount = Annotated[str, StringConstraints(pattern=r"^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$")]
CURRENCIES = Literal["AUD", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "JPY", "NOK", "SEK", "USD"]


class Order(BaseModel):
    """The fields of ORDER, each with a constraint as strict as that of the package."""

    site_id: Text
    order_id: Text
    order_status: Text | None = None
    order_time: AwareDatetime | None = None
    order_count: Annotated[int, Field(ge=1)] | None = None
    sale_amount: Amount | None = None
    subtotal_amount: Amount | None = None
    shipping_amount: Amount | None = None
    tax_amount: Amount | None = None
    currency: CURRENCIES | None = None
    email_address: Text | None = None
    user_agent: Text | None = None
    ip_address: IPv4Address | IPv6Address | None = None
    shipping_city: Text | None = None
    shipping_state: Text | None = None
    shipping_postal: Text | None = None
    shipping_country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = None
    discount_1_code: Text | None = None
    discount_1_amount: Amount | None = None
    line_item_1_title: Text | None = None
    line_item_1_sku: Text | None = None
    line_item_1_price: Amount | None = None
