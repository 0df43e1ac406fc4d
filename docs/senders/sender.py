"""Sends the replies of one channel through a provider's HTTP API: each once, in order, and says what became of it.

Needs Python 3.9 and pika 1.2 or later. Settings come from the environment; see README.md beside this file.
"""

import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone

import pika

AMQP_URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
QUEUE = os.environ.get("QUEUE", "handoff.replies.sms")
INBOUND = os.environ.get("INBOUND", "handoff.inbound")
PROVIDER_URL = os.environ.get("PROVIDER_URL")
LEDGER = os.environ.get("LEDGER", "sent.jsonl")
# Below the broker's heartbeat, which is not answered during a call.
PROVIDER_TIMEOUT = 10
WAIT_MAX = 30


class Ledger:
    """What became of each reply, on disk. In production this is a table with the reply's id as its key."""

    def __init__(self, path):
        self.file = open(path, "ab+", buffering=0)
        self.file.seek(0)
        # A line that a crash cut short was not acknowledged, so its reply comes again.
        whole, _, _ = self.file.read().rpartition(b"\n")
        self.file.truncate(len(whole) + 1 if whole else 0)
        outcomes = map(json.loads, whole.splitlines())
        self.outcomes = {outcome["reply_id"]: outcome for outcome in outcomes}

    def remember(self, outcome):
        self.file.write(json.dumps(outcome).encode() + b"\n")
        os.fsync(self.file.fileno())
        self.outcomes[outcome["reply_id"]] = outcome


def ask_provider(reply):
    """Calls the provider once. Gives (outcome, None), or (None, seconds to wait) where trying again may help."""
    data = reply["data"]
    body = {
        "from": data["to"].get("account"),
        "to": data["to"].get("address"),
        "text": data["text"],
        "media": [file["url"] for file in data["attachments"] if "url" in file],
    }
    request = urllib.request.Request(
        PROVIDER_URL,
        data=json.dumps(body).encode(),
        # The provider drops what it has seen: a call whose answer was lost can be made again.
        headers={"content-type": "application/json", "idempotency-key": reply["id"]},
    )
    try:
        with urllib.request.urlopen(request, timeout=PROVIDER_TIMEOUT):
            return {"status": "delivered"}, None
    except urllib.error.HTTPError as refusal:
        if refusal.code in (408, 425, 429) or refusal.code >= 500:
            asked = refusal.headers.get("retry-after", "")
            return None, int(asked) if asked.isdigit() else 0
        reason = refusal.read(500).decode(errors="replace").strip()
        return {"status": "failed", "reason": reason or f"the provider says {refusal.code}"}, None
    except OSError:
        return None, 0


def send(connection, reply):
    """Calls the provider until it has taken or refused the reply. The replies behind it wait: order is kept."""
    wait = 1
    while True:
        outcome, asked = ask_provider(reply)
        if outcome:
            at = datetime.now(timezone.utc).isoformat()
            return {"reply_id": reply["id"], "session": reply["subject"], "at": at, **outcome}
        print(f"reply {reply['id']}: the provider has trouble, trying again", file=sys.stderr)
        # Not time.sleep: the connection to the broker is kept alive meanwhile.
        connection.sleep(max(asked, random.uniform(wait / 2, wait)))
        wait = min(wait * 2, WAIT_MAX)


def report(channel, outcome):
    """Tells Baton, which shows a failure to the rep. The same bytes each time, so a repetition is recognised."""
    data = {"reply_id": outcome["reply_id"], "status": outcome["status"]}
    if "reason" in outcome:
        data["reason"] = outcome["reason"]
    event = {
        "specversion": "1.0",
        "type": "handoff.reply.delivery.v1",
        "source": "/channels/sender",
        "id": f"{outcome['reply_id']}/{outcome['status']}",
        "time": outcome["at"],
        "subject": outcome["session"],
        "data": data,
    }
    properties = pika.BasicProperties(
        content_type="application/cloudevents+json",
        delivery_mode=2,
        message_id=event["id"],
        type=event["type"],
    )
    # With confirm_delivery this returns when the broker has it, and raises when it has not.
    channel.basic_publish(INBOUND, "delivery.status", json.dumps(event).encode(), properties)


def consume(ledger):
    connection = pika.BlockingConnection(pika.URLParameters(AMQP_URL))
    channel = connection.channel()
    channel.confirm_delivery()
    # One at a time, and one consumer: a second copy of this program is refused, and stands by.
    channel.basic_qos(prefetch_count=1)
    for method, _properties, body in channel.consume(QUEUE, exclusive=True):
        reply = json.loads(body)
        outcome = ledger.outcomes.get(reply["id"])
        if outcome is None:
            outcome = send(connection, reply)
            ledger.remember(outcome)
        report(channel, outcome)
        channel.basic_ack(method.delivery_tag)


def main():
    if not PROVIDER_URL:
        sys.exit("PROVIDER_URL is missing; write the address that takes a message by POST")
    # Stopped at any point, the reply in hand goes back to the queue.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ledger = Ledger(LEDGER)
    while True:
        try:
            consume(ledger)
        except pika.exceptions.AMQPError as trouble:
            print(f"the broker: {trouble!r}; connecting again", file=sys.stderr)
            time.sleep(random.uniform(1, 3))


if __name__ == "__main__":
    main()
