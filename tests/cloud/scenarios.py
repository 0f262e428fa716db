"""Which scenarios of tests/it are not run on a deployment, and why."""

# By the beginning of a test's name: a whole module, or one scenario of it.
LEFT_OUT = {
    "demo::": "the demo starts a manager of its own",
    "embedded::": "only a server has a Redis of its own",
    "forms::": "about the kit",
    "keys::the_server_listens": "no server listens",
    "keys::without_keys": "a deployment has keys",
    "kit_itself::": "about the kit",
    "kit_lambda::": "about the kit",
    "stop::": "nobody asks a function to stop",
    "tls::": "the local cloud has no Redis with TLS",
    "bad_input::a_bad_action_is_refused_by_its_field_and_changes_nothing":
        "the local cloud carries more than Lambda's 6 MB, so that the function answers and no gateway",
    "faults::": "thousands of actions; each call costs the local cloud 50 to 100 ms",
    "fifo::": "the same",
    "memory::": "the same",
    "volume::": "the same",
}


def report() -> str:
    lines = [f"      {name}  {reason}" for name, reason in LEFT_OUT.items()]
    return f"{len(LEFT_OUT)} modules or scenarios are left out:\n" + "\n".join(lines)


def skips() -> list[str]:
    """As the tests' program takes them."""
    return [argument for name in LEFT_OUT for argument in ("--skip", name)]
