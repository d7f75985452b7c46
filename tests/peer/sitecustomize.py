"""Loaded by Python before the peer: makes its documents such that SAP B1 RESTful takes them, and logs in again; and sleeps
where its clock is set.

The peer names some fields as Magento does (`billto_region`, `billto_postcode`), and a tax code, a way of transport and a way of
payment that the company does not have. SAP B1 RESTful refuses every one of its orders then, which is less work than applying
them. And it never logs in a second time, though a token of SAP B1 RESTful ends after five minutes. What is done here takes some
microseconds per order, of its 5 ms.
"""

import os
import select
import sys
import time

if "FAKETIME_TIMESTAMP_FILE" in os.environ:
    # Python sleeps until a time of the monotonic clock, for which libfaketime has no call.
    time.sleep = lambda seconds: select.select([], [], [], max(seconds, 0))

import requests

_request = requests.Session.request


def _fit(order):
    for side in ("billto", "shipto"):
        order[f"{side}_state"] = order.pop(f"{side}_region", "")
        order[f"{side}_zipcode"] = order.pop(f"{side}_postcode", "")
        order[f"{side}_county"] = ""
    order.update(transport_name="Standard", payment_method="Check", expenses_taxcode="EX")
    for item in order["items"]:
        item["taxcode"] = "EX"


def request(self, method, url, *args, **kwargs):
    if url.endswith("/v1/orders/insert"):
        for order in kwargs["json"]:
            _fit(order)
    answer = _request(self, method, url, *args, **kwargs)
    if answer.status_code == 401 and "/v1/" in url:
        peer = sys.modules["dw_celery"]
        login = _request(self, "POST", f"{peer.B1_URL}/auth", json=peer.B1_LOGIN, timeout=60)
        peer._state["token"] = login.json()["access_token"]
        kwargs["headers"] = {"Authorization": f"JWT {peer._state['token']}"}
        answer = _request(self, method, url, *args, **kwargs)
    return answer


requests.Session.request = request
