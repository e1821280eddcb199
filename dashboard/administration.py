"""Django's admin as an application, with our site. Imported before there are any models."""

from django.contrib.admin.apps import AdminConfig


class Administration(AdminConfig):
    default_site = "dashboard.admin_site.Site"
