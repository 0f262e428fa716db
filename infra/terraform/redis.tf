locals {
  # Of a store of one's own, what its URL says.
  redis_port = var.tier == "external" ? tonumber(try(regex(":([0-9]+)(/[0-9]*)?$", var.redis_url)[0], 6379)) : var.redis_port
  cache_name = "${var.name}-${var.tier}"

  # With cluster mode the configuration endpoint is the one; a local cloud may have only the other.
  redis_address = one(concat(
    [for cache in aws_elasticache_serverless_cache.baton : "${cache.endpoint[0].address}:${cache.endpoint[0].port}"],
    [
      for cache in aws_elasticache_replication_group.baton :
      "${coalesce(cache.configuration_endpoint_address, cache.primary_endpoint_address)}:${local.redis_port}"
    ],
  ))
  redis_url = (
    var.tier == "external" ? var.redis_url :
    "${var.redis_plaintext ? "redis" : "rediss"}://${local.redis_address}"
  )

  is_elasticache = var.tier != "external"
  redis_iam = local.is_elasticache ? {
    kind  = { serverless = "elasticache-serverless", durable = "elasticache" }[var.tier]
    cache = local.cache_name
    user  = local.redis_user
  } : var.redis_iam

  # What a failover can lose: managed stores do not tell it. Null where nobody here knows.
  redis_durability = (
    var.tier == "external" ?
    try(coalesce(var.redis_durability, lookup({ elasticache-serverless = "async", memorydb = "sync" }, var.redis_iam.kind, null)), null) :
    { serverless = "async", durable = "sync" }[var.tier]
  )

  redis_user = "${var.name}-functions"
  redis_resources = {
    elasticache            = ["replicationgroup:", "user:"]
    elasticache-serverless = ["serverlesscache:", "user:"]
    memorydb               = ["cluster/", "user/"]
  }
  # Who logs in with a signed token, and what allows it; null where a password or nothing does.
  redis_login = local.redis_iam == null || var.redis_plaintext ? null : merge(local.redis_iam, {
    service = local.redis_iam.kind == "memorydb" ? "memorydb" : "elasticache"
    action  = local.redis_iam.kind == "memorydb" ? "memorydb:connect" : "elasticache:Connect"
    arns = [
      for kind, name in zipmap(local.redis_resources[local.redis_iam.kind], [local.redis_iam.cache, local.redis_iam.user]) :
      "arn:${local.partition}:${local.redis_iam.kind == "memorydb" ? "memorydb" : "elasticache"}:${var.region}:${local.account_id}:${kind}${name}"
    ]
  })
}

# Baton's own keys, and every command but those that manage a server. INFO tells the tick how full the memory is.
resource "aws_elasticache_user" "functions" {
  count = local.is_elasticache ? 1 : 0

  user_id       = local.redis_user
  user_name     = local.redis_user
  engine        = "valkey"
  access_string = "on ~{p0}:* +@all -@admin -@dangerous +info"

  authentication_mode {
    type = "iam"
  }
}

resource "aws_elasticache_user_group" "baton" {
  count = local.is_elasticache ? 1 : 0

  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.functions[0].user_id]
}

resource "aws_elasticache_serverless_cache" "baton" {
  count = var.tier == "serverless" ? 1 : 0

  name                 = local.cache_name
  description          = "Baton's state"
  engine               = "valkey"
  major_engine_version = "8"
  user_group_id        = aws_elasticache_user_group.baton[0].user_group_id
  kms_key_id           = var.kms_key_arn
  subnet_ids           = local.subnet_ids
  security_group_ids   = [aws_security_group.redis[0].id]

  cache_usage_limits {
    data_storage {
      maximum = var.serverless_limits.storage_gb
      unit    = "GB"
    }
    ecpu_per_second {
      maximum = var.serverless_limits.ecpu_per_second
    }
  }
}

resource "aws_elasticache_subnet_group" "baton" {
  count = var.tier == "durable" ? 1 : 0

  name        = var.name
  description = "Baton's state"
  subnet_ids  = local.subnet_ids
}

resource "aws_elasticache_parameter_group" "baton" {
  count = var.tier == "durable" ? 1 : 0

  name        = var.name
  family      = "valkey9"
  description = "Baton's state"

  parameter {
    name  = "cluster-enabled"
    value = "yes"
  }

  # Nothing that lives may be evicted: Baton itself makes room, and refuses new work before there is none.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

# One shard: all of Baton's keys are in one slot.
resource "aws_elasticache_replication_group" "baton" {
  count = var.tier == "durable" ? 1 : 0

  replication_group_id       = local.cache_name
  description                = "Baton's state"
  engine                     = "valkey"
  engine_version             = "9.0"
  durability                 = "sync"
  node_type                  = var.durable_node_type
  port                       = local.redis_port
  parameter_group_name       = aws_elasticache_parameter_group.baton[0].name
  cluster_mode               = "enabled"
  num_node_groups            = 1
  replicas_per_node_group    = var.durable_replicas
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  user_group_ids             = [aws_elasticache_user_group.baton[0].user_group_id]
  subnet_group_name          = aws_elasticache_subnet_group.baton[0].name
  security_group_ids         = [aws_security_group.redis[0].id]
  auto_minor_version_upgrade = true
}
