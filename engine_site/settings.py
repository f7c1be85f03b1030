"""Django's settings, built from the environment; Django reads it, and no code of ours imports it.

Every variable is described in `environment.py`. Nothing here starts a process or opens a connection.
"""

import gc
import warnings
from typing import Any

import django_stubs_ext
import environ
import psycopg.conninfo

from engine_site import admin_look, logs
from engine_site.embedded_postgres import EmbeddedPostgres
from engine_site.environment import CLONE, read_environment, stored_secret

# What is loaded from here on stays, and looking for garbage in it again and again takes a fifth of the time; the app
# `engine_site` is loaded last and switches it on again.
gc.disable()

# Annotations such as `Field[str, str]` are evaluated when a module loads; Django's classes learn to bear it.
django_stubs_ext.monkeypatch()

ENVIRONMENT = read_environment()

BASE_DIR = CLONE
DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.csrf_trusted_origins

ENGINE_DATA = ENVIRONMENT.data
ENGINE_ENV = ENVIRONMENT.kind
ENGINE_ROLE = ENVIRONMENT.role
ENGINE_SLOTS = ENVIRONMENT.slots
ENGINE_CONNECTIONS = ENVIRONMENT.connections
ENGINE_SECRETS_KEY = ENVIRONMENT.secrets_key
ENGINE_SECRETS_FILE = ENVIRONMENT.data / "secrets_key"
if not ENGINE_SECRETS_KEY:
    stored_secret(ENGINE_SECRETS_FILE)
ENGINE_ADMIN_PASSWORD = ENVIRONMENT.admin_password

# -- Apps and doors ---------------------------------------------------------------------------------------

# Not daphne: it would load its whole network stack into every worker and command, for runserver's sake alone.
INSTALLED_APPS = [
    "unfold",  # before admin: it replaces the admin's templates
    "django.contrib.admin.apps.SimpleAdminConfig",  # its pages are loaded with the addresses: workers need none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "django_q",
    "records",
    "access",
    "projects",
    "flows",
    "connectors",
    "executions",
    "inbox",
    "schedules",
    "webhooks",
    "engine_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "engine_site.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "access.doors.DoorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "engine_site.urls"
ASGI_APPLICATION = "engine_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# -- People -----------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["access.sign_in.LimitedBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/sign-in/"
ENGINE_MAIL = bool(ENVIRONMENT.email_url)  # without a server the link to an account is only shown
if ENGINE_MAIL:
    vars().update(environ.Env.email_url_config(ENVIRONMENT.email_url))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL

# -- Database ---------------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    url = ENVIRONMENT.database_url or EmbeddedPostgres(ENVIRONMENT.data).database_url
    # libpq's own parser: it knows socket folders, several hosts and every option.
    parts = psycopg.conninfo.conninfo_to_dict(url)
    options: dict[str, Any] = {"application_name": f"engine-{ENVIRONMENT.role}"}
    database: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "engine"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": options,
        # The database may have been restarted since: a worn connection is replaced, not used.
        "CONN_HEALTH_CHECKS": True,
    }
    # Prepared statements keep one plan: planning anew would cost more than running them. What workers ask for has
    # an index, which a plan made while a table was small must not pass over.
    plans = "-c plan_cache_mode=force_generic_plan"
    if ENVIRONMENT.role == "worker":
        plans += " -c enable_seqscan=off"
    parts["options"] = f"{parts.get('options', '')} {plans}".strip()
    options |= parts
    if ENVIRONMENT.role == "web":
        # Under ASGI each request runs in its own thread, so connections kept per thread would never be reused.
        options["pool"] = {"min_size": 2, "max_size": 20, "timeout": 5, "max_idle": 300}
        database["CONN_MAX_AGE"] = 0
    else:
        database["CONN_MAX_AGE"] = None
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "engine"}}

# -- Work -------------------------------------------------------------------------------------------------

# Retries, time limits and recovery are the execution host's; django-q2's own would run a task twice.
Q_CLUSTER = {
    "name": "engine",
    "workers": 1,
    "save_limit": -1,
    "ack_failures": True,
    "max_attempts": 1,
    "retry": 2**30,
    "timeout": None,
    "recycle": 10**9,
    "bulk": 16,
    "catch_up": False,
    "poll": 0,  # our broker rests by itself; a sleep here would hold up what it has just claimed
    "scheduler": False,
    "broker_class": "executions.broker.ExecutionBroker",
    "orm": "default",
}
# django-q2 says this of every configuration without a timeout, whatever `retry` is.
warnings.filterwarnings("ignore", message="Retry and timeout are misconfigured")

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# -- REST -------------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "records.openapi.RecordSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.authentication.ApiKeyAuthentication",  # first: it says how to sign in when nobody did
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["records.json_http.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["records.json_http.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "records.json_http.AlwaysJson",
    "EXCEPTION_HANDLER": "engine_site.errors.answer_error",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Engine",
    "DESCRIPTION": "Write flows, run them as executions, and watch them live.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["engine_site.openapi.only_latest"],
    "POSTPROCESSING_HOOKS": ["engine_site.openapi.add_shapes"],
}

UNFOLD = admin_look.UNFOLD

# -- Words, time and static files -------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "static"] if folder.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "engine_site.static_storage.StaticStorage"},
}

# -- Safety -----------------------------------------------------------------------------------------------

SESSION_ENGINE = "access.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = ENVIRONMENT.behind_tls
CSRF_COOKIE_SECURE = ENVIRONMENT.behind_tls
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.behind_tls else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # HSTS belongs to whoever ends TLS: the proxy
    "security.W008",  # so does the redirect to HTTPS
]

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logs.logging_settings(ENVIRONMENT.log_format, ENVIRONMENT.log_level, ENVIRONMENT.role)
