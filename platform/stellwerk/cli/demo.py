"""`stellwerk demo`: a new user, a channel and a video, through the real platform."""

import secrets
from pathlib import Path
from typing import Any

import click

from stellwerk.cli.account import Account
from stellwerk.cli.api import Api
from stellwerk.cli.client import sign_in
from stellwerk.cli.demo_report import facts_of, print_facts, print_urls, urls_of
from stellwerk.cli.demo_stack import running_platform
from stellwerk.cli.downloads import download
from stellwerk.cli.following import follow
from stellwerk.cli.outcome import leave_with
from stellwerk.cli.output import emit_json, json_option, say
from stellwerk.cli.progress import show_progress

TARGET_S = 30
TOPICS = {
    "en": "Top 5 facts about railway signal boxes",
    "de": "Top 5 Fakten über Stellwerke der Eisenbahn",
}
WANTED = ("video.mp4", "captions.srt", "thumbnail.jpg")


@click.command()
@click.option("--language", type=click.Choice(sorted(TOPICS)), default="en", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Public port; 0: any free.")
@click.option("--keep", is_flag=True, help="Leave the platform running.")
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Where the video is saved.",
)
@json_option
def demo(language: str, port: int, folder: Path, *, keep: bool, as_json: bool) -> None:
    """Bring the platform up, have it make a 30 s video, show and save it, and stop again.

    A platform that runs on this home already is used, and left running.
    """
    with running_platform(port, keep=keep) as url, Api(new_user(url)) as api:
        video = request_video(api, language)
        if not as_json:
            print_urls(urls_of(url, video["job_id"]))
        job = show_progress(follow(api, video["job_id"]))
        if job["status"] != "completed":
            leave_with(job, as_json=as_json)
        facts = facts_of(api, job, fetch(api, job, folder))
        if as_json:
            emit_json(facts)
        else:
            print_facts(facts)


def new_user(url: str) -> Account:
    """Register somebody new (the free tier makes two videos a day), and sign in as them."""
    email = f"demo-{secrets.token_hex(6)}@example.com"
    password = secrets.token_urlsafe(16)
    with Api(Account(url)) as api:
        api.post("/auth/register", {"email": email, "password": password})
    account, _ = sign_in(url, email, password)
    say(f"Signed in as {email}.")
    return account


def request_video(api: Api, language: str) -> dict[str, Any]:
    """Create a channel and ask for the video; returns what the API accepted."""
    channel = api.post("/channels/", {"name": f"Demo ({language})"})
    wish = {
        "channel_id": channel["id"],
        "topic": TOPICS[language],
        "style": "educational",
        "target_duration": TARGET_S,
        "language": language,
    }
    accepted: dict[str, Any] = api.post("/videos/generate", wish)
    say(f"Asked for “{TOPICS[language]}”, {TARGET_S} s.")
    return accepted


def fetch(api: Api, document: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Save the finished job's video, captions and thumbnail; returns where, by name."""
    made = {item["name"]: item for item in document["artifacts"]}
    return {name: download(api, made[name], folder).absolute() for name in WANTED}
