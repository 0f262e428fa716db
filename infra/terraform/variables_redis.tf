variable "tier" {
  type        = string
  nullable    = false
  description = "The store: `serverless` (ElastiCache Serverless for Valkey), `durable` (Valkey nodes that write to two zones before they answer) or `external` (a store of your own). README.md says what each costs and can lose."

  validation {
    condition     = contains(["serverless", "durable", "external"], var.tier)
    error_message = "Write `serverless`, `durable` or `external`."
  }
}

variable "redis_plaintext" {
  type        = bool
  default     = false
  nullable    = false
  description = "Speak to the store without TLS and without logging in: for a local cloud, whose store has neither."

  validation {
    condition     = !var.redis_plaintext || local.is_loopback
    error_message = "A store without TLS is for a local cloud only: `endpoint` must be a URL on this machine's loopback interface."
  }
}

variable "redis_port" {
  type        = number
  default     = 6379
  nullable    = false
  description = "Port of the `durable` store. A local cloud has one Redis, on a port of its own."

  validation {
    condition     = var.redis_port >= 1 && var.redis_port <= 65535 && floor(var.redis_port) == var.redis_port
    error_message = "Write 1 to 65535."
  }
}

variable "redis_url" {
  type        = string
  default     = null
  description = "Of the `external` store: `rediss://HOST:PORT`, without credentials."

  validation {
    condition     = (var.tier == "external") == (var.redis_url != null)
    error_message = "`redis_url` goes with the tier `external`, which needs it."
  }
  validation {
    condition     = var.redis_url == null || can(regex("^rediss?://[^@/?# ]+(/[0-9]*)?$", var.redis_url))
    error_message = "Write `rediss://HOST:PORT`. A password is not for a URL, which others see: `redis_auth` says how to log in."
  }
  validation {
    condition     = var.redis_url == null || startswith(coalesce(var.redis_url, "-"), var.redis_plaintext ? "redis://" : "rediss://")
    error_message = "Write `rediss://`: a store without TLS is for a local cloud only, which `redis_plaintext` says."
  }
}

variable "redis_auth" {
  type        = string
  default     = "iam"
  nullable    = false
  description = "How the functions log in to the `external` store: `iam` (with `redis_iam`), or `password` (with `redis_password`)."

  validation {
    condition     = contains(["iam", "password"], var.redis_auth) && (var.tier == "external" || var.redis_auth == "iam")
    error_message = "Write `iam` or, for the tier `external`, `password`."
  }
}

variable "redis_iam" {
  type = object({
    kind  = string
    cache = string
    user  = string
  })
  default     = null
  description = "Of the `external` store: its kind (`elasticache`, `elasticache-serverless` or `memorydb`), its name and the id of the user that logs in, both in this account and region."

  validation {
    condition     = (var.redis_iam != null) == (var.tier == "external" && var.redis_auth == "iam" && !var.redis_plaintext)
    error_message = "`redis_iam` goes with the tier `external` and redis_auth `iam`, which needs it."
  }
  validation {
    condition     = var.redis_iam == null || contains(["elasticache", "elasticache-serverless", "memorydb"], try(var.redis_iam.kind, ""))
    error_message = "Write `elasticache`, `elasticache-serverless` or `memorydb` as kind."
  }
  validation {
    condition     = var.redis_iam == null || alltrue([for name in [try(var.redis_iam.cache, ""), try(var.redis_iam.user, "")] : can(regex("^[a-zA-Z][a-zA-Z0-9.-]*$", name))])
    error_message = "Write the names of one cache and one user, not ARNs or patterns."
  }
}

variable "redis_durability" {
  type        = string
  default     = null
  description = "Of the `external` store, for `GET /meta` to tell: `sync` (a write is on several machines before it is answered), `async` (copied after) or `none`. Null is right for MemoryDB, a serverless cache, and a store that answers CONFIG."

  validation {
    condition     = var.redis_durability == null || (var.tier == "external" && contains(["sync", "async", "none"], coalesce(var.redis_durability, "-")))
    error_message = "Write `sync`, `async` or `none`, for the tier `external`: of the others it is known."
  }
}

variable "redis_security_group_id" {
  type        = string
  default     = null
  description = "Security group of the `external` store, when it is in the network of the functions: they may then open connections to it. It must let them in: output `security_group_id`."

  validation {
    condition     = var.redis_security_group_id == null || (var.tier == "external" && local.in_vpc)
    error_message = "`redis_security_group_id` goes with the tier `external` and a network."
  }
}

variable "redis_password" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "Of the `external` store with redis_auth `password`. It goes into the secret and stays out of the state: give it at each apply, as TF_VAR_redis_password."

  validation {
    condition     = (var.redis_password != null) == (var.redis_auth == "password" && !var.redis_plaintext)
    error_message = "`redis_password` goes with redis_auth `password`, which needs it."
  }
}

variable "serverless_limits" {
  type = object({
    storage_gb      = number
    ecpu_per_second = number
  })
  default     = { storage_gb = 5, ecpu_per_second = 30000 }
  nullable    = false
  description = "The most that the `serverless` cache grows to, which bounds its bill. One slot takes 30,000 ECPU a second, 90,000 when read from replicas, so more is of no use."

  validation {
    condition     = var.serverless_limits.storage_gb >= 1 && var.serverless_limits.storage_gb <= 5000
    error_message = "Write 1 to 5000 GB."
  }
  validation {
    condition     = var.serverless_limits.ecpu_per_second >= 1000 && var.serverless_limits.ecpu_per_second <= 15000000
    error_message = "Write 1000 to 15000000 ECPU a second."
  }
}

variable "durable_node_type" {
  type        = string
  default     = "cache.m7g.large"
  nullable    = false
  description = "Node type of the `durable` store, of a family that takes `durability`."

  validation {
    condition     = can(regex("^cache\\.([mr][678]g|c[78]gn)\\.[a-z0-9]+$", var.durable_node_type))
    error_message = "Write a node type of the families m6g to m8g, r6g to r8g, c7gn or c8gn, as in `cache.m7g.large`."
  }
}

variable "durable_replicas" {
  type        = number
  default     = 1
  nullable    = false
  description = "Replicas of the `durable` store, in other zones than its primary."

  validation {
    condition     = contains([1, 2, 3, 4, 5], var.durable_replicas)
    error_message = "Write 1 to 5: without a replica there is no second zone."
  }
}
