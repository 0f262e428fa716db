# Functions as an image, with what else one may choose.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region    = "eu-west-1"
  tier      = "external"
  redis_url = "rediss://orders.cache.example"
  redis_iam = { kind = "elasticache", cache = "orders", user = "baton" }
}

run "runs_each_function_from_one_image" {
  command = plan

  variables {
    name                 = "orders"
    package_type         = "Image"
    image_uri            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/baton@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    architecture         = "arm64"
    kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    reserved_concurrency = { tick = 5 }
    alarm_topic_arn      = "arn:aws:sns:eu-west-1:123456789012:alarms"
    log_retention_days   = 90
    schedule_enabled     = false
    environment          = { BATON_MAX_QUEUED = "50000" }
    secret_version       = 2
    processor_secrets    = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3 whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    webhook_secrets      = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3 whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    caller_keys          = "caller-new-00112233445566778899aabbccddeeff caller-old-00112233445566778899aabbccddeeff"
    operator_keys        = "operator-new-00112233445566778899aabbccddeeff operator-old-00112233445566778899aabbccddeeff"
    processor_keys       = "processor-00112233445566778899aabbccddeeff"
  }

  assert {
    condition     = length(aws_lambda_function.zip) == 0 && toset(keys(aws_lambda_function.image)) == toset(["action", "complete", "meta", "operate", "register", "tick"])
    error_message = "All functions are of the one package type."
  }
  assert {
    condition = alltrue([for name, function in aws_lambda_function.image :
      function.package_type == "Image" && function.image_config[0].entry_point == tolist(["/usr/local/bin/${name}"]) && function.architectures == tolist(["arm64"])
    ])
    error_message = "Each starts its own program of the image."
  }
  assert {
    condition     = aws_lambda_function.image["tick"].timeout == 120 && aws_lambda_function.image["tick"].memory_size == 512 && aws_lambda_function.image["action"].memory_size == 256
    error_message = "Sizes are the inventory's."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.image : name => function.reserved_concurrent_executions if function.reserved_concurrent_executions != -1 } == { tick = 5 }
    error_message = "Concurrency is reserved for whom it is said."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.image : function.environment[0].variables.BATON_MAX_QUEUED == "50000"])
    error_message = "Settings reach every function."
  }
  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.api]) : group.retention_in_days == 90 && group.kms_key_id == var.kms_key_arn])
    error_message = "Logs are kept as long as said, under the key that is given."
  }
  assert {
    condition = aws_secretsmanager_secret.baton.kms_key_id == var.kms_key_arn && alltrue([for policy in aws_iam_role_policy.function : contains(jsondecode(policy.policy).Statement, {
      Sid      = "Decrypt"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"]
    })])
    error_message = "Functions may decrypt with that key."
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.baton)) == toset(["tick-errors", "tick-throttles", "recursion-dropped", "oldest-age", "failed-actions", "api-5xx"])
    error_message = "Nobody waits for ticks of a schedule that is off, or for a store that AWS does not run."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.baton : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:alarms"])])
    error_message = "Alarms are sent to the topic."
  }
  assert {
    condition     = aws_scheduler_schedule.tick.state == "DISABLED"
    error_message = "The schedule is off."
  }
  assert {
    condition = aws_secretsmanager_secret_version.baton.secret_string_wo_version == 2 && alltrue([
      for function in aws_lambda_function.image : function.environment[0].variables.SECRET_VERSION == "2" && !can(regex("whsec_|caller-|operator-|processor-", jsonencode(function.environment[0].variables)))
    ])
    error_message = "A new version of the secret is written, and starts every function anew; no key is among their settings."
  }
}
