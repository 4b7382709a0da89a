"""The application for gunicorn, built from the environment."""

from flagger_common import flaskkit

from . import create_app, house, settings

_settings = settings.from_environ()
_store = settings.open_store(_settings)
app = create_app(_settings, _store)
_housekeeper = house.Housekeeper(_store)
_housekeeper.start()
flaskkit.kit(app).on_exit.insert(0, _housekeeper.stop)
