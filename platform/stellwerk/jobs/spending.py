"""What an owner's jobs cost this month, and what is set aside for what they may still cost."""

from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.jobs.model import Job
from stellwerk.jobs.remains import JobCost


def committed_this_month(session: Session, user_id: int) -> Decimal:
    """EUR spent since the first of the month (UTC), and reserved."""
    return spent_this_month(session, user_id) + reserved(session, user_id)


def spent_this_month(session: Session, user_id: int) -> Decimal:
    """EUR spent since the first of the month (UTC)."""
    month = func.date_trunc("month", func.timezone("UTC", func.now()))
    spent = select(func.coalesce(func.sum(JobCost.amount), 0)).where(
        JobCost.owner_id == user_id, func.timezone("UTC", JobCost.created_at) >= month
    )
    return Decimal(session.scalar(spent) or 0)


def reserved(session: Session, user_id: int) -> Decimal:
    """EUR set aside for the user's jobs under way, and where nobody can tell what became of one."""
    held = select(func.coalesce(func.sum(Job.reserved_cost), 0)).where(
        Job.owner_id == user_id, Job.reserved_cost > 0
    )
    return Decimal(session.scalar(held) or 0)
