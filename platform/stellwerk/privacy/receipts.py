"""The receipt of an erasure: what was erased, what is kept and why, signed by the vault."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from stellwerk.clock import rfc3339
from stellwerk.privacy.domains import Domain
from stellwerk.privacy.model import PrivacyRequest
from stellwerk.vault import Vault

PURPOSE = b"privacy-receipt:"
SIGNATURE = "signature"


def receipt_of(
    request: PrivacyRequest, domains: Iterable[Domain], vault: Vault, finished_at: str
) -> dict[str, Any]:
    """The signed receipt of a request whose work is done; nothing in it tells whose it was."""
    counted: Mapping[str, Mapping[str, int]] = request.counts
    reasons = {domain.name: domain.kept for domain in domains}
    kept = [
        {"domain": name, "kind": kind, "number": number, "reason": reasons[name][kind]}
        for name, kinds in sorted(counted.items())
        for kind, number in sorted(kinds.items())
        if kind in reasons.get(name, {})
    ]
    body = {
        "request_id": str(request.id),
        "requested_at": rfc3339(request.created_at),
        "finished_at": finished_at,
        "erased": {
            name: {kind: kinds[kind] for kind in kinds if kind not in reasons.get(name, {})}
            for name, kinds in counted.items()
        },
        "kept": kept,
    }
    return body | {SIGNATURE: vault.marks(_content(body))[0]}


def is_genuine(receipt: Mapping[str, Any], vault: Vault) -> bool:
    """Whether this installation signed exactly this receipt, by a key it still has."""
    body = {name: value for name, value in receipt.items() if name != SIGNATURE}
    return receipt.get(SIGNATURE) in vault.marks(_content(body))


def _content(body: Mapping[str, Any]) -> bytes:
    return PURPOSE + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
