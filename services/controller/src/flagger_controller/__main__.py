"""`flagger` and `python -m flagger_controller`."""

from flagger_controller.operator import app, cli


def main() -> None:
    """Run the controller until it is stopped."""
    cli.command(app.run)()


if __name__ == "__main__":
    main()
