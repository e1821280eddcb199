"""Model fields that clean text on its way to the database (see `specs.text`)."""

from typing import TYPE_CHECKING, Any

from django.core.validators import RegexValidator
from django.db import models

from specs.text import NAME_HINT, NAME_PATTERN, clean, clean_json

valid_name = RegexValidator(rf"\A{NAME_PATTERN}\Z", f"Use {NAME_HINT}.")

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
    TextField = models.TextField[str, str]
else:  # Django's own classes cannot be subscripted
    CharField = models.CharField
    TextField = models.TextField


class CleanCharField(CharField):
    """A CharField that stores no NUL and no lone surrogate."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return clean(value) if isinstance(value, str) else value


class CleanTextField(TextField):
    """A TextField that stores no NUL and no lone surrogate."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return clean(value) if isinstance(value, str) else value


class CleanJSONField(models.JSONField):
    """A JSONField whose texts hold no NUL and no lone surrogate."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return super().get_db_prep_save(clean_json(value), connection)
