"""Which scenarios of tests/it are not run on a deployment, and why."""

# By the beginning of a test's name: a whole module, or one scenario of it.
LEFT_OUT = {
    "demo::": "the demo starts a manager of its own",
    "embedded::": "only a server has a Redis of its own",
    "stop::": "nobody asks a function to stop",
    "forms::": "about the kit",
    "keys::the_server_listens": "no server listens",
    "keys::without_keys": "a deployment has keys",
    "kit_itself::": "about the kit",
    "kit_lambda::": "about the kit",
    "bad_input::a_body_over_the_cap_is_refused_and_changes_nothing":
        "the local cloud carries more than Lambda's 6 MB, so that the function answers and no gateway",
    "health::a_manager_that_reaches_no_processor_marks_none_and_claims_nothing":
        "of two managers that are configured differently, and there is one deployment",
    "health::more_processors_than_are_asked_at_a_time_are_asked_in_turn":
        "the limit is one process's, and functions are several",
    "reads::an_action_whose_step_completes_while_it_is_read_has_its_data":
        "of two managers, one of which reaches the store by a proxy that stands still",
}


def report() -> str:
    lines = [f"      {name}  {reason}" for name, reason in LEFT_OUT.items()]
    return f"{len(LEFT_OUT)} modules or scenarios are left out:\n" + "\n".join(lines)


def skips() -> list[str]:
    """As the tests' program takes them."""
    return [argument for name in LEFT_OUT for argument in ("--skip", name)]
