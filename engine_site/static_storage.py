"""Where static files lie under names that carry their hash, so that browsers may keep them for ever.

Settings name it. It adds one thing to whitenoise's storage: imports inside our modules follow the names.
"""

from whitenoise.storage import CompressedManifestStaticFilesStorage

_, _IMPORTS = CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Without the rewriting, a module would load twice: by its hashed name and by its plain one."""

    # Ours only: scripts of other packages import names that no file has.
    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _IMPORTS))
