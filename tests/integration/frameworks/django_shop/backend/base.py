"""base.py - Django's MySQL backend that adds a comment for shardd to what it creates."""
from django.db.backends.mysql import base, schema

REFERENCE = {
    "django_content_type", "auth_permission", "auth_group", "auth_user", "shop_region",
    "shop_category", "shop_tag", "shop_product",
}
GLOBAL = {
    "auth_user_groups", "auth_group_permissions", "auth_user_user_permissions",
    "shop_product_tags",
}


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    def table_sql(self, model):
        sql, params = super().table_sql(model)
        table = model._meta.db_table
        wish = ("reference" if table in REFERENCE else "global" if table in GLOBAL
                else f"key({model._meta.pk.column})")
        return f"{sql} COMMENT 'shardd: {wish}'", params


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
