"""What a demonstration shows for its video: measured from the file, and asked of the API."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from stellwerk.cli.api import Api
from stellwerk.providers.video.probe import StreamInfo, length_s, mean_volume_db, streams

Facts = dict[str, Any]


def urls_of(root: str, job_id: str) -> dict[str, str]:
    """Where to look, by what is seen there."""
    return {
        "docs": f"{root}/api/docs",
        "redoc": f"{root}/api/redoc",
        "flower": f"{root}/flower/task/{job_id}",
        "job": f"{root}/api/v1/jobs/{job_id}",
    }


def facts_of(api: Api, job: dict[str, Any], files: dict[str, Path]) -> Facts:
    """What a player finds in the file, and what the API says it cost and is worth.

    Raises ProviderUnavailable where the file cannot be played, ApiError.
    """
    video = files["video.mp4"]
    return {
        "video": str(video),
        "captions": str(files["captions.srt"]),
        "thumbnail": str(files["thumbnail.jpg"]),
        "duration_s": round(length_s(video), 2),
        "streams": [_described(stream) for stream in streams(video)],
        "mean_volume_db": mean_volume_db(video),
        "quality_score": job["result"]["quality_score"],
        "cost": api.get(f"/videos/{job['result']['video_id']}/cost"),
        "urls": urls_of(api.url, job["job_id"]),
    }


def print_facts(facts: Facts) -> None:
    """The facts for a person, on standard output."""
    _print("video", facts["video"])
    _print("captions", facts["captions"])
    _print("thumbnail", facts["thumbnail"])
    _print("duration", f"{facts['duration_s']:.1f} s")
    for stream in facts["streams"]:
        _print("stream", stream)
    _print("volume", f"{facts['mean_volume_db']:.1f} dB on average")
    _print("quality", f"{facts['quality_score']:.2f} of 1")
    for line in summed(facts["cost"]["lines"]):
        units = f"{line['quantity']:g} {line['unit']} at {line['unit_price']:.9f}"
        _print("cost", f"{line['step']:<9}{line['provider']:<10}{units:<36}{line['amount']:.6f}")
    total = f"{facts['cost']['total']:.6f} {facts['cost']['currency']}"
    _print("cost", f"{'total':<55}{total}")


def summed(lines: Iterable[Facts]) -> list[Facts]:
    """One cost line per step, provider, unit and price: quantities and amounts added up."""
    sums: dict[tuple[Any, ...], Facts] = {}
    for line in lines:
        key = (line["step"], line["provider"], line["unit"], line["unit_price"])
        known = sums.setdefault(key, {**line, "quantity": 0, "amount": 0})
        known["quantity"] += line["quantity"]
        known["amount"] += line["amount"]
    return list(sums.values())


def print_urls(urls: dict[str, str]) -> None:
    """Where to look, on standard output."""
    for name, url in urls.items():
        _print(name, url)


def _described(stream: StreamInfo) -> str:
    sizes = {
        "video": f" {stream.width_px}x{stream.height_px}",
        "audio": f" {stream.sample_rate_hz} Hz",
    }
    return f"{stream.kind} {stream.codec}{sizes.get(stream.kind, '')}"


def _print(name: str, value: str) -> None:
    click.echo(f"  {name:<10}{value}")
