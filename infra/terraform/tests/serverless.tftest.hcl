# ElastiCache Serverless, in a network of its own without NAT.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "eu-west-1"
  tier   = "serverless"
}

run "keeps_its_state_in_a_cache_that_only_the_functions_reach" {
  command = plan

  # The service encrypts by itself, in transit and at rest: there is no argument for it.
  assert {
    condition     = alltrue([for cache in aws_elasticache_serverless_cache.baton : cache.engine == "valkey" && cache.user_group_id == "baton" && cache.subnet_ids == toset(["subnet-a", "subnet-b"]) && cache.security_group_ids == toset(["sg-redis"])])
    error_message = "The cache is Valkey in two zones, and only the functions' user logs in."
  }
  assert {
    condition     = aws_elasticache_serverless_cache.baton[0].cache_usage_limits[0].data_storage[0].maximum == 5 && aws_elasticache_serverless_cache.baton[0].cache_usage_limits[0].ecpu_per_second[0].maximum == 30000
    error_message = "Its bill is bounded."
  }
  assert {
    condition     = length(aws_elasticache_replication_group.baton) == 0
    error_message = "One store is enough."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.zip :
      function.environment[0].variables.REDIS_URL == "rediss://serverless.cache.example:6379" &&
      function.environment[0].variables.BATON_REDIS_IAM_KIND == "elasticache-serverless" &&
      function.environment[0].variables.BATON_REDIS_IAM_CACHE == "baton-serverless" &&
      function.environment[0].variables.BATON_REDIS_IAM_USER == "baton-functions"
    ])
    error_message = "Every function speaks TLS, and logs in with a token."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.environment[0].variables.BATON_REDIS_DURABILITY == "async"])
    error_message = "A serverless cache copies a write after it has answered."
  }
  assert {
    condition     = aws_elasticache_user.functions[0].authentication_mode[0].type == "iam" && aws_elasticache_user.functions[0].user_name == aws_elasticache_user.functions[0].user_id
    error_message = "A user who logs in with a token is called by its id."
  }
  assert {
    condition     = aws_elasticache_user.functions[0].access_string == "on ~{p0}:* +@all -@admin -@dangerous +info"
    error_message = "The user has Baton's keys, and manages no server."
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
        "arn:aws:elasticache:eu-west-1:123456789012:serverlesscache:baton-serverless",
        "arn:aws:elasticache:eu-west-1:123456789012:user:baton-functions",
      ]
    })])
    error_message = "A function may log in to this cache as this user."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.function : [
        for statement in jsondecode(policy.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "No grant is of a pattern of actions."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.function : [
        for statement in jsondecode(policy.policy).Statement : statement.Resource == ["*"]
        ? contains(["AttachToNetwork", "OnlyLambdaAttaches"], statement.Sid)
        : alltrue([for resource in statement.Resource : startswith(resource, "arn:aws:") && !strcontains(trimsuffix(resource, ":log-stream:*"), "*")])
      ]
    ]))
    error_message = "Every resource is named, but for what has no name before it is made."
  }
  assert {
    condition = alltrue([for name, policy in aws_iam_role_policy.function : contains(jsondecode(policy.policy).Statement, {
      Sid    = "OnlyLambdaAttaches"
      Effect = "Deny"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource  = ["*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:eu-west-1:123456789012:function:baton-${name}"] } }
    })])
    error_message = "A function must not use the rights with which Lambda attaches it to the network."
  }

  # ---- who reaches what ----

  assert {
    condition = alltrue([
      for rule in concat(aws_vpc_security_group_ingress_rule.redis, aws_vpc_security_group_ingress_rule.endpoints) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null && rule.referenced_security_group_id == "sg-functions"
    ])
    error_message = "Nothing but the functions is let in."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.redis[0].from_port == 6379 && aws_vpc_security_group_ingress_rule.redis[0].to_port == 6379
    error_message = "The store's port is the only one."
  }
  assert {
    condition     = alltrue([for group in concat(aws_security_group.functions, aws_security_group.redis, aws_security_group.endpoints) : length(coalesce(group.ingress, [])) == 0])
    error_message = "Rules are resources of their own, so that these suites see them."
  }
  assert {
    condition     = length(aws_nat_gateway.baton) + length(aws_internet_gateway.baton) + length(aws_subnet.public) == 0 && toset(keys(aws_vpc_endpoint.aws)) == toset(["lambda", "secretsmanager"])
    error_message = "Endpoints take the place of NAT."
  }

  # ---- what is watched ----

  assert {
    condition     = aws_cloudwatch_metric_alarm.baton["store-memory-1"].dimensions == tomap({ clusterId = "baton-serverless" }) && aws_cloudwatch_metric_alarm.baton["store-memory-1"].threshold == 4250000000
    error_message = "The alarm comes at 85 % of the limit."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.baton["store-evictions-1"].metric_name == "Evictions"
    error_message = "Evictions are an alarm."
  }
}
