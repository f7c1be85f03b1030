"""Where static files lie under names that carry their hash, so that browsers may keep them for ever.

Settings name it. It adds one thing to whitenoise's storage: imports inside our modules follow the names.
"""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

_, _IMPORTS = CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Without the rewriting, a module would load twice: by its hashed name and by its plain one."""

    # Ours only: scripts of other packages import names that no file has.
    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _IMPORTS))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._urls: dict[str, str] = {}  # a page names some seventy, and each is worked out from its parts

    def url(self, name: str | None, force: bool = False) -> str:
        if name is None or force:
            return str(super().url(name, force))
        if name not in self._urls:
            self._urls[name] = super().url(name)
        return self._urls[name]
