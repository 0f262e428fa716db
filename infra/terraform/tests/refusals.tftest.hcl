# What is refused before anything is made.

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

run "plaintext_is_refused_without_a_local_cloud" {
  command = plan

  variables {
    redis_url       = "redis://orders.cache.example"
    redis_iam       = null
    redis_plaintext = true
  }
  expect_failures = [var.redis_plaintext]
}

run "plaintext_is_refused_with_a_cloud_on_another_machine" {
  command = plan

  variables {
    endpoint        = "http://127.0.0.1.example.com:4566"
    redis_url       = "redis://orders.cache.example"
    redis_iam       = null
    redis_plaintext = true
  }
  expect_failures = [var.redis_plaintext]
}

run "plaintext_is_accepted_with_a_cloud_on_this_machine" {
  command = plan

  variables {
    endpoint        = "http://127.0.0.1:4566"
    redis_url       = "redis://127.0.0.1:6379"
    redis_iam       = null
    redis_plaintext = true
  }

  assert {
    condition     = output.url == "http://127.0.0.1:4566/_aws/execute-api/api1/$default"
    error_message = "A local cloud has all APIs on one port."
  }
}

run "a_store_without_a_login_or_with_one_in_its_url_is_refused" {
  command = plan

  variables {
    redis_url = "rediss://me:hush@orders.cache.example"
    redis_iam = null
  }
  expect_failures = [var.redis_url, var.redis_iam]
}

run "bad_values_are_refused" {
  command = plan

  variables {
    name                     = "Baton"
    tags                     = { "aws:x" = "1" }
    package_type             = "Zip"
    package_dir              = "tests/mocks"
    architecture             = "sparc"
    reserved_concurrency     = { ticks = 1 }
    environment              = { BATON_SECRET_ARN = "x" }
    redis_auth               = "none"
    network                  = "given"
    internet                 = "nat"
    throttle                 = { rate = 0, burst = 1 }
    secret_version           = 0
    webhook_secrets          = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    caller_keys              = "short"
    secret_recovery_days     = 3
    log_retention_days       = 2
    alarm_topic_arn          = "alarms"
    alarm_oldest_age_seconds = 5
    kms_key_arn              = "alias/mine"
    processor_cidrs          = ["10.0.0.0"]
    durable_node_type        = "cache.t4g.micro"
    durable_replicas         = 0
    redis_durability         = "high"
  }
  expect_failures = [
    var.name, var.tags, var.package_dir, var.architecture, var.reserved_concurrency, var.environment, var.redis_auth,
    var.vpc_id, var.subnet_ids, var.internet, var.throttle, var.secret_version,
    var.webhook_secrets, var.caller_keys, var.secret_recovery_days, var.log_retention_days, var.alarm_topic_arn,
    var.alarm_oldest_age_seconds, var.kms_key_arn, var.processor_cidrs, var.durable_node_type, var.durable_replicas,
    var.redis_durability,
  ]
}

run "more_zones_than_a_cache_takes_are_refused" {
  command = plan

  variables {
    tier               = "serverless"
    redis_url          = null
    redis_iam          = null
    availability_zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"]
  }
  expect_failures = [var.availability_zones]
}
