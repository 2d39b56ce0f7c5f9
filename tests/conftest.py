"""Settings every test shares."""

from hypothesis import settings

settings.register_profile("archbench", deadline=None)  # machines are shared: no example is judged by its time
settings.load_profile("archbench")
