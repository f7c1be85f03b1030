"""Mails the link to set a password, where a mail server is configured. The link is shown to the inviter in any case."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from access.models import User

logger = logging.getLogger("engine.mail")

_WORDS = """\
Hello {name},

you have an account, {name}, at this Engine. Set your password here, until {until:%d %B %Y %H:%M} UTC:

{link}

If you did not expect this, do nothing.
"""


def mail_link(user: User, link: str) -> str:
    """Mail the link and say what came of it: "sent", "failed", or nothing when there is no server or address."""
    if not settings.ENGINE_MAIL or not user.email:
        return ""
    words = _WORDS.format(name=user.username, until=user.link_deadline, link=link)
    try:
        send_mail("Your account at Engine", words, settings.DEFAULT_FROM_EMAIL, [user.email])
    except (SMTPException, OSError) as error:
        logger.warning("the link for %s could not be mailed: %s", user.username, error)
        return "failed"
    return "sent"
