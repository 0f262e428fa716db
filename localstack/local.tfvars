# What is different in a local cloud, whichever tier.

region   = "us-east-1"
endpoint = "http://127.0.0.1:4566"

# Its caches speak neither TLS nor IAM. The root takes that only while `endpoint` is on the loopback interface.
redis_plaintext = true

# The processors and receivers are on this machine.
processor_cidrs = ["127.0.0.0/8"]
response_cidrs  = ["127.0.0.0/8"]

# `PROFILE=local make package` writes them, in a fraction of the time.
package_dir = "../../target/lambda/local"

# So that the next apply may take the same name.
secret_recovery_days = 0
