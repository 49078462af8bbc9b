"""What a type checker must catch: each line here is a mistake."""

import katalys
from katalys.testing import Sandbox

client = katalys.Client("abcd.com")
client.update_order("1001", order_statu="paid")  # expect: order_statu
client.update_order("1001", sale_amount=object())  # expect: sale_amount
client.update_order("1001", "paid")  # expect: str
client.update_order()  # expect: order_id
katalys.Client("abcd.com", time_out=5)  # expect: time_out
katalys.Client("abcd.com", invalid="ignore")  # expect: invalid
client.enqueue_update("1001", sale_amount=object())  # expect: sale_amount
print(client.stats().waiting)  # expect: waiting
client.edit("1001")  # expect: int
katalys.Client("abcd.com", durability="none")  # expect: durability
client.validate_update("1001").payload.decode()  # expect: decode
Sandbox().wait_for("1001", statu="paid")  # expect: statu
print(Sandbox().order("1001")["status"])  # expect: status
