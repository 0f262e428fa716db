# A store of one's own: no network, and a login that is a signed token or a password.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region    = "eu-west-1"
  tier      = "external"
  redis_url = "rediss://orders.cache.example:6380"
  redis_iam = { kind = "elasticache-serverless", cache = "orders", user = "baton" }
}

run "logs_in_with_a_token_and_makes_no_network" {
  command = plan

  assert {
    condition     = length(aws_vpc.baton) + length(aws_subnet.private) + length(aws_nat_gateway.baton) + length(aws_vpc_endpoint.aws) + length(aws_security_group.functions) == 0
    error_message = "A store that is reached from outside of any network needs none."
  }
  assert {
    condition     = length(aws_elasticache_serverless_cache.baton) + length(aws_elasticache_replication_group.baton) + length(aws_elasticache_user.functions) == 0
    error_message = "The store is the user's own."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : length(function.vpc_config) == 0])
    error_message = "A function in a network without NAT reaches neither processors nor the store."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.zip : alltrue([
      for name, value in {
        REDIS_URL              = "rediss://orders.cache.example:6380"
        BATON_REDIS_IAM_USER   = "baton"
        BATON_REDIS_IAM_CACHE  = "orders"
        BATON_REDIS_IAM_KIND   = "elasticache-serverless"
        BATON_REDIS_DURABILITY = "async"
        BATON_PUBLIC_URL       = "https://api1.execute-api.eu-west-1.amazonaws.com"
        BATON_SECRET_ARN       = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:baton/keys-a1b2c3"
      } : function.environment[0].variables[name] == value
    ])])
    error_message = "Every function is told its store, its URL and its secret."
  }
  assert {
    condition = { for name, policy in aws_iam_role_policy.function : name => jsondecode(policy.policy).Statement } == {
      for name in ["action", "complete", "meta", "operate", "register", "tick"] : name => concat(
        [
          {
            Sid      = "WriteLogs"
            Effect   = "Allow"
            Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
            Resource = ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/baton-${name}:log-stream:*"]
          },
          {
            Sid      = "ReadSecret"
            Effect   = "Allow"
            Action   = ["secretsmanager:GetSecretValue"]
            Resource = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:baton/keys-a1b2c3"]
          },
          {
            Sid    = "LogInToStore"
            Effect = "Allow"
            Action = ["elasticache:Connect"]
            Resource = [
              "arn:aws:elasticache:eu-west-1:123456789012:serverlesscache:orders",
              "arn:aws:elasticache:eu-west-1:123456789012:user:baton",
            ]
          },
        ],
        name == "meta" ? [] : [
          {
            Sid      = "StartTick"
            Effect   = "Allow"
            Action   = ["lambda:InvokeFunction"]
            Resource = ["arn:aws:lambda:eu-west-1:123456789012:function:baton-tick"]
          },
        ],
      )
    }
    error_message = "Each role grants what its function does, and nothing else: meta alone starts no tick."
  }

  # ---- who starts tick, and what becomes of a beat that fails ----

  assert {
    condition     = aws_scheduler_schedule.tick.schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.tick.state == "ENABLED"
    error_message = "The beat is each minute."
  }
  assert {
    condition     = aws_scheduler_schedule.tick.target[0].retry_policy[0].maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.tick.maximum_retry_attempts == 0
    error_message = "A tick is not tried again: the next beat comes."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.schedule.policy).Statement == [{
      Sid      = "StartTick"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = ["arn:aws:lambda:eu-west-1:123456789012:function:baton-tick"]
    }]
    error_message = "The schedule may invoke tick, and nothing else."
  }
  assert {
    condition = jsondecode(aws_iam_role.schedule.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:SourceAccount" = "123456789012"
      "aws:SourceArn"     = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/baton"
    }
    error_message = "Only this deployment's schedules act in that role."
  }
  assert {
    condition     = toset([for permission in aws_lambda_permission.api : "${permission.action} ${permission.principal} ${permission.source_arn}"]) == toset(["lambda:InvokeFunction apigateway.amazonaws.com arn:aws:execute-api:eu-west-1:123456789012:api1/*/*"])
    error_message = "The API alone may invoke the functions behind it."
  }
  assert {
    condition     = !contains(keys(aws_lambda_permission.api), "tick")
    error_message = "The API has no way to tick."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.reserved_concurrent_executions == -1])
    error_message = "No concurrency is reserved unless somebody says so."
  }
}

run "logs_in_to_memorydb" {
  command = plan

  variables {
    network                 = "given"
    vpc_id                  = "vpc-9"
    subnet_ids              = ["subnet-a", "subnet-b"]
    redis_iam               = { kind = "memorydb", cache = "orders", user = "baton" }
    redis_security_group_id = "sg-9"
  }

  assert {
    condition = alltrue([for policy in aws_iam_role_policy.function : contains(jsondecode(policy.policy).Statement, {
      Sid    = "LogInToStore"
      Effect = "Allow"
      Action = ["memorydb:connect"]
      Resource = [
        "arn:aws:memorydb:eu-west-1:123456789012:cluster/orders",
        "arn:aws:memorydb:eu-west-1:123456789012:user/baton",
      ]
    })])
    error_message = "MemoryDB has an action and ARNs of its own."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.environment[0].variables.BATON_REDIS_DURABILITY == "sync"])
    error_message = "MemoryDB answers a write when it is in several zones."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.redis[0].referenced_security_group_id == "sg-9" && aws_vpc_security_group_egress_rule.redis[0].from_port == 6380
    error_message = "The functions must be let out to the store."
  }
}

run "keeps_a_password_in_the_secret_and_starts_no_tick_without_nudges" {
  command = plan

  variables {
    redis_auth     = "password"
    redis_iam      = null
    redis_password = "p@ss word"
    nudges_enabled = false
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : !contains(jsondecode(policy.policy).Statement[*].Sid, "LogInToStore")])
    error_message = "Who logs in with a password needs no grant."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : !strcontains(jsonencode(function.environment[0].variables), "p@ss") && !contains(keys(function.environment[0].variables), "BATON_REDIS_IAM_USER")])
    error_message = "A password is for the secret, and excludes a token."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : !contains(keys(function.environment[0].variables), "BATON_REDIS_DURABILITY")])
    error_message = "Of a store that nobody knows, nothing is promised."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : !strcontains(policy.policy, "lambda:InvokeFunction")])
    error_message = "Nobody but the schedule may start tick."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : !contains(keys(function.environment[0].variables), "BATON_TICK_FUNCTION")])
    error_message = "Nobody is told of a tick to start."
  }
}
