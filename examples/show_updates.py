"""Prints the updates that the sandbox received, with the ignored fields and warnings of each."""

import json
import sys

for update in json.load(sys.stdin)["updates"]:
    print(f"\n{update['status']} {update['outcome']}")
    payload = update["payload"]
    fields = json.loads(payload) if isinstance(payload, str) else payload
    for name, value in fields.items():
        print(f"    {name:<22} {value}")
    for ignored in update["ignored"]:
        print(f"  ignored: {ignored['field']}, {ignored['reason']}")
    for warning in update["warnings"]:
        print(f"  warning: {warning['path']} {warning['message']} [{warning['code']}]")
