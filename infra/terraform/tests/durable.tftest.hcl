# Valkey nodes that write to two zones before they answer.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "eu-west-1"
  tier   = "durable"
}

run "writes_to_two_zones_and_only_the_functions_reach_it" {
  command = plan

  variables {
    durable_replicas = 2
  }

  assert {
    condition = alltrue([for group in aws_elasticache_replication_group.baton :
      group.durability == "sync" && group.multi_az_enabled && group.automatic_failover_enabled &&
      group.cluster_mode == "enabled" && group.num_node_groups == 1 && group.replicas_per_node_group == 2 &&
      group.engine == "valkey" && group.engine_version == "9.0"
    ])
    error_message = "Durable writes need Valkey 9 with cluster mode in more than one zone."
  }
  assert {
    condition     = toset([for parameter in aws_elasticache_parameter_group.baton[0].parameter : "${parameter.name}=${parameter.value}"]) == toset(["cluster-enabled=yes", "maxmemory-policy=noeviction"])
    error_message = "Nothing that lives may be evicted."
  }

  # ---- encryption ----

  assert {
    condition = alltrue([for group in aws_elasticache_replication_group.baton :
      group.transit_encryption_enabled && group.transit_encryption_mode == "required" && tobool(group.at_rest_encryption_enabled)
    ])
    error_message = "The store is encrypted in transit and at rest."
  }
  assert {
    condition = alltrue([for group in aws_elasticache_replication_group.baton : group.user_group_ids == toset(["baton"])]) && (
      aws_elasticache_user.functions[0].authentication_mode[0].type == "iam"
    )
    error_message = "Only the functions' user logs in, with a token."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.zip :
      function.environment[0].variables.REDIS_URL == "rediss://durable.cache.example:6379" &&
      function.environment[0].variables.BATON_REDIS_IAM_KIND == "elasticache" &&
      function.environment[0].variables.BATON_REDIS_IAM_CACHE == "baton-durable"
    ])
    error_message = "Every function speaks TLS, and logs in with a token."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.environment[0].variables.BATON_REDIS_DURABILITY == "sync"])
    error_message = "A durable cache answers a write when it is in two zones."
  }

  # ---- what each function may do ----

  assert {
    condition = { for name, policy in aws_iam_role_policy.function : name => jsondecode(policy.policy).Statement[*].Sid } == {
      for name in ["action", "complete", "meta", "operate", "register", "tick"] : name => concat(
        ["WriteLogs", "ReadSecret", "LogInToStore"], name == "meta" ? [] : ["StartTick"], ["AttachToNetwork", "OnlyLambdaAttaches"]
      )
    }
    error_message = "Each role has these statements, and meta alone starts no tick."
  }
  assert {
    condition = alltrue([for policy in aws_iam_role_policy.function : contains(jsondecode(policy.policy).Statement, {
      Sid    = "LogInToStore"
      Effect = "Allow"
      Action = ["elasticache:Connect"]
      Resource = [
        "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:baton-durable",
        "arn:aws:elasticache:eu-west-1:123456789012:user:baton-functions",
      ]
    })])
    error_message = "A function may log in to this cache as this user."
  }

  # ---- who reaches what ----

  assert {
    condition = length(aws_vpc_security_group_ingress_rule.redis) == 1 && alltrue([
      for rule in concat(aws_vpc_security_group_ingress_rule.redis, aws_vpc_security_group_ingress_rule.endpoints) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null && rule.referenced_security_group_id == "sg-functions"
    ])
    error_message = "Nothing but the functions is let in."
  }
  assert {
    condition     = aws_elasticache_replication_group.baton[0].security_group_ids == toset(["sg-redis"])
    error_message = "The store is behind its own group."
  }

  # ---- what is watched ----

  assert {
    condition = [for number in [1, 2, 3] : aws_cloudwatch_metric_alarm.baton["store-memory-${number}"].dimensions.CacheClusterId] == [
      "baton-durable-0001-001", "baton-durable-0001-002", "baton-durable-0001-003"
    ]
    error_message = "Each node of the group has its metrics."
  }
}
