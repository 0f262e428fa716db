"""Keys change side by side on a deployment, as infra/terraform/README.md says."""

import base64
import os

from deployment import Deployment
from processes import Failed
from root import Root

# The keys of the secret, and the variables that give others to an apply.
KEYS = {f"BATON_{name.upper()}": f"TF_VAR_{name}"
        for name in ("processor_secrets", "webhook_secrets", "caller_keys", "operator_keys", "processor_keys")}


def fresh(name: str) -> str:
    return f"{'whsec_' * name.endswith('_SECRETS')}{base64.b64encode(os.urandom(32)).decode()}"


def write(root: Root, deployment: Deployment, version: int, keys: dict[str, str]) -> None:
    """Applies these keys; then the secret has them, and every function starts anew to read it."""
    root.env |= {variable: keys[name] for name, variable in KEYS.items()}
    root.apply(f"-var=secret_version={version}")
    for variable in KEYS.values():
        del root.env[variable]
    if deployment.secrets() != keys:
        raise Failed(f"the secret does not have the keys of version {version}")
    for function in deployment.functions:
        if deployment.variables(function)["SECRET_VERSION"] != str(version):
            raise Failed(f"{function} is not told to start anew")


def rotate(root: Root, deployment: Deployment) -> None:
    """Both keys for a while, then the new one alone; no key gets into the state."""
    old = deployment.secrets()
    new = {name: fresh(name) for name in KEYS}
    write(root, deployment, 2, {name: f"{new[name]} {old[name]}" for name in KEYS})
    write(root, deployment, 3, new)
    root.plan_is_empty("-var=secret_version=3")
    if deployment.secrets() != new:
        raise Failed("the secret was written without a new version")
    state = root.state()
    if "whsec_" in state or any(key in state for key in (old | new).values()):
        raise Failed("the state has a key")
