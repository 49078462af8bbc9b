"""Opens an outbox four times, while one read fails; prints the result of each attempt as JSON.

Argument: file.
"""

import json
import sys

import katalys


def opened():
    client = katalys.Client("abcd.com", outbox=sys.argv[1], deliver=False)
    stats = client.stats()
    client.close()
    return stats.pending


def attempt():
    try:
        return {"pending": opened()}
    except katalys.OutboxError as error:
        return {"code": error.code, "retryable": error.retryable}


print(json.dumps([attempt() for _ in range(4)]))
