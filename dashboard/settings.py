"""Django's settings, all derived from `dashboard.config`."""

from importlib.util import find_spec
from pathlib import Path

import dj_database_url

from dashboard import config, loglines

CONFIG = config.load()
ROOT = Path(__file__).resolve().parent.parent
PACKAGED = Path(__file__).resolve().parent / "_data"
FILES = PACKAGED if PACKAGED.exists() else ROOT

SECRET_KEY = CONFIG.signing_key()
DEBUG = CONFIG.debug
ALLOWED_HOSTS = CONFIG.hosts
INSTALLED_APPS = [
    "dashboard.administration.Administration",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "tailwind",
    "specs",
    "workers",
    "queue_app",
    "dashboard",
    "dashboard.theme",
]
MIDDLEWARE = [
    "dashboard.requests.Requests",
    "dashboard.api.door.Door",
    "django.middleware.security.SecurityMiddleware",
    "dashboard.security.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.audit.Origins",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FILES / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
STATIC_URL = "static/"
NINJA = Path(*find_spec("ninja").submodule_search_locations)  # the scripts of its page; imported when first needed
STATICFILES_DIRS = [FILES / "static", NINJA / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
TAILWIND_APP_NAME = "dashboard.theme"


def _database() -> dict[str, object]:
    """SQLite in WAL mode with immediate transactions, or whatever DATABASE_URL names."""
    if CONFIG.database.startswith("sqlite:///"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": CONFIG.database.removeprefix("sqlite:///"),
            "TEST": {"NAME": str(CONFIG.data / "test.sqlite3")},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    return {**dj_database_url.parse(CONFIG.database, conn_max_age=0)}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "dashboard.live.layer.WaitingPubSubLayer",
        "CONFIG": {"hosts": [CONFIG.redis], "prefix": "specyard"},
    }
}

AUTHENTICATION_BACKENDS = ["dashboard.access.Accounts"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/workers"
SESSION_COOKIE_NAME = "specyard_session"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "specyard_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.https
SECURE_SSL_REDIRECT = CONFIG.https
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # are asked on the machine itself, past the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIG.https else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if CONFIG.https else 0
# W005 and W021 ask to bind the other hosts of the domain too, which are not ours to speak for.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "dashboard.security.HidesAlways"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LOGGING = loglines.configuration(CONFIG.log_format, CONFIG.log_level)

# What the lower rooms need to know; they read django.conf.settings and never import this module.
SPECYARD = CONFIG
SPECYARD_REDIS = CONFIG.redis
