"""A producer with a webhook, which verifies what it is told."""

import base64
import hashlib
import hmac
import json
import time
from contextlib import suppress
from typing import Any, Unpack
from uuid import UUID, uuid4

from models.message import Message, read_message
from models.tables import Key
from models.words import Door, Role
from tests.support.ledger import Ledger, More, message
from tests.support.webhook_receiver import Receiver
from worker.auth import keys
from worker.context import Context
from worker.intake.accept import Inbound, accept
from worker.webhooks import endpoint


class Shop:
    """A producer with a webhook."""

    def __init__(self, context: Context, receiver: Receiver, name: str = "shop") -> None:
        self.context, self.receiver, self.name = context, receiver, name
        with suppress(keys.NameTaken):
            keys.create(context.engine, name, Role.PRODUCER, [1])
        self.key_id = Ledger(context.engine).all(Key, Key.name == name)[0].id
        secret = endpoint.point(context.engine, context.settings, name, f"http://127.0.0.1:{receiver.port}/{name}")
        assert secret is not None
        self.secret = secret

    def submit(self, *contacts: str, batch_size: int = 100, **more: Unpack[More]) -> UUID:
        submission = uuid4()
        read = read_message(json.dumps(message(*contacts, **more) | {"submission_id": str(submission)}).encode())
        assert isinstance(read, Message)
        rules = self.context.rules.__class__(self.context.rules.key, batch_size, 0)
        with self.context.engine.connect() as connection:
            accept(connection, [Inbound(Door.HTTP, "request", b"", read, None, self.key_id, b"digest")], rules)
        return submission

    def told(self) -> list[dict[str, Any]]:
        """What came, each verified: by the standard's words, with nothing of ours."""
        key = base64.b64decode(self.secret.split("_", 1)[1])
        told = []
        for path, headers, body in self.receiver.got:
            if path != f"/{self.name}":
                continue
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            assert headers["webhook-signature"] == f"v1,{expected}"
            assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
            assert headers["content-type"] == "application/json"
            said = json.loads(body)
            assert said["id"] == headers["webhook-id"]
            told.append(said)
        return told

    def types(self) -> list[str]:
        return [said["type"].removeprefix("submission.") for said in self.told()]
