"""Starts the peer's sync again and again, as its scheduler does: once no order of the one before waits any more, or nothing has
moved for IDLE_S seconds, since a task that got lost waits for ever."""

import os
import time

import dw_celery as peer

IDLE_S = float(os.environ.get("IDLE_S", "90"))
PAUSE_S = 5


def wait(left):
    """Until there is nothing left, or as much as IDLE_S seconds ago."""
    before, since = left(), time.monotonic()
    while before and time.monotonic() - since < IDLE_S:
        time.sleep(2)
        now = left()
        if now != before:
            before, since = now, time.monotonic()


while True:
    wait(lambda: peer.db()["orders"].count_documents({"tx_status": "N"}))
    run = f"run-{time.time()}"
    peer.sync_orders.delay(run)
    wait(lambda: 1 - peer.db()["sync_control"].count_documents({"_id": run}))
    time.sleep(PAUSE_S)
