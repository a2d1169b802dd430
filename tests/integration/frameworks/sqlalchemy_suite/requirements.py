"""requirements.py - what MariaDB can do, in the words of SQLAlchemy's dialect suite."""
from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

OPEN = """
    table_ddl_if_exists index_ddl_if_exists comment_reflection check_constraint_reflection views
    schemas cross_schema_fk_reflection implicit_default_schema
    foreign_key_constraint_option_reflection_ondelete
    fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_ondelete_noaction
    foreign_key_constraint_option_reflection_onupdate
    fk_constraint_option_reflection_onupdate_restrict temp_table_reflection
    temp_table_reflect_indexes has_temp_table temporary_tables unicode_ddl datetime_literals date
    time datetime_microseconds time_microseconds timestamp_microseconds datetime_historic
    date_historic isolation_level json_type json_array_indexes precision_numerics_general
    precision_numerics_enotation_small precision_numerics_enotation_large
    precision_numerics_many_significant_digits precision_numerics_retains_significant_digits
    cast_precision_numerics_many_significant_digits implicit_decimal_binds savepoints
    two_phase_transactions update_from delete_from mod_operator_as_percent_sign
    percent_schema_names order_by_label_with_expression window_functions ctes except_ intersect
    tuple_in tuple_in_w_empty bound_limit_offset computed_columns computed_columns_stored
    computed_columns_virtual computed_columns_reflect_persisted supports_is_distinct_from
    regexp_match regexp_replace autoincrement_without_sequence dbapi_lastrowid emulated_lastrowid
    standalone_binds standalone_null_binds_whereclause insert_from_select sequences
    sequences_optional foreign_key_constraint_name_reflection self_referential_foreign_keys
    symbol_names_w_double_quote text_type duplicate_names_in_cursor_description nullable_booleans
    fetch_rows_post_commit graceful_disconnects ad_hoc_engines server_side_cursors
    independent_connections default_schema_name_switch unique_constraint_reflection
    reflects_pk_names infinity_floats group_by_complex_expression sane_rowcount_w_returning
    unbounded_varchar autocommit legacy_unconditional_json_extract unusual_column_name_characters
    table_reflection fetch_first fetch_no_order_by table_value_constructor
""".split()


class Requirements(SuiteRequirements):
    """Every name of OPEN is a feature that the tests may use."""

    def get_isolation_levels(self, config):
        return {"default": "REPEATABLE READ",
                "supported": ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ",
                              "SERIALIZABLE", "AUTOCOMMIT"]}


for name in OPEN:
    assert hasattr(SuiteRequirements, name), name
    setattr(Requirements, name, property(lambda self: exclusions.open()))
