"""Making an account by oneself."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from stellwerk.identity import acts, notices
from stellwerk.identity.model import User
from stellwerk.identity.notices import Occasion
from stellwerk.identity.queries import has_email
from stellwerk.identity.service import new_user, normalised
from stellwerk.jobs.runtime import Runtime, unit


def register(
    runtime: Runtime, *, email: str, password: str, full_name: str = "", language: str = "en"
) -> None:
    """Create an account, unless the address has one: the caller cannot tell which, nor by time.

    Either way the address is written to. Raises InvalidInput for what is no address.
    """
    values = new_user(normalised(email), password) | {"full_name": full_name}
    made = insert(User).values(**values).on_conflict_do_nothing().returning(User.id)
    with unit(runtime) as work:
        is_new = work.session.scalar(made) is not None
        whose = work.session.scalar(select(User.id).where(has_email(values["email"])))
        acts.registered(work.session, whose, is_new=is_new)
        occasion = Occasion.REGISTERED if is_new else Occasion.REGISTERED_AGAIN
        told = notices.notice(runtime.vault, occasion, values["email"], language=language)
        notices.note(runtime, work, told)
