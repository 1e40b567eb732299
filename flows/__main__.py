"""`python -m flows` is `questmill`."""

from flows.cli.main import run_command

if __name__ == "__main__":
    run_command()
