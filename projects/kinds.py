"""Project, bundle and setting as their doors see them."""

from projects import bundles, operations, setting
from projects.models import Bundle, Project, Setting
from records.kinds import Kind, register

AUDIT = ("created_at", "created_by_id", "modified_at", "modified_by_id", "deleted_at", "deleted_by_id")

PROJECT = register(
    Kind(
        name="project",
        model=Project,
        read=("id", "name", "description", "retention", "is_readonly", *AUDIT),
        write=("name", "description", "retention", "is_readonly"),
        create=operations.create_project,
        save=operations.save_project,
        trash=operations.trash_project,
        restore=operations.restore_project,
    )
)

BUNDLE = register(
    Kind(
        name="bundle",
        model=Bundle,
        read=(
            "id", "name", "description", "version", "project_id", "is_readonly", "has_update", "is_dirty",
            "created_at", "created_by_id", "modified_at", "modified_by_id",
        ),
        write=("name", "project", "is_readonly"),
        references={"project": "project"},
        has_trash=False,
        create=bundles.import_bundle,
        save=bundles.save_bundle,
        trash=bundles.delete_bundle,
    )
)  # fmt: skip

SETTING = register(
    Kind(
        name="setting",
        model=Setting,
        read=("id", "name", "description", "project_id", "bundle_id", "value", "is_readonly", *AUDIT),
        write=("name", "description", "project", "value", "is_readonly"),
        references={"project": "project"},
        large=("value",),
        create=setting.create_setting,
        save=setting.save_setting,
        trash=setting.trash_setting,
        restore=setting.restore_setting,
        duplicate=setting.duplicate_setting,
    )
)
