locals {
  log_groups = { for name, function_name in local.function_names : name => "/aws/lambda/${function_name}" }

  alarm_actions = var.alarm_topic_arn[*]
  tick          = { FunctionName = local.function_names.tick }
}

# Made before the functions: Lambda would make groups that keep everything for ever.
resource "aws_cloudwatch_log_group" "function" {
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  # Each: what is measured, how, and from where on it is an alarm. Unless said otherwise a metric that is missing is none.
  baton_alarms = {
    tick-errors = {
      description = "Ticks fail: see the log group ${local.log_groups.tick}"
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = local.tick
      statistic   = "Sum", threshold = 1, periods = 3
    }
    tick-throttles = {
      description = "Lambda refuses ticks: the account's concurrency, or the one reserved for tick, is used up"
      namespace   = "AWS/Lambda", metric = "Throttles", dimensions = local.tick
      statistic   = "Sum", threshold = 1, periods = 3
    }
    recursion-dropped = {
      description = "Lambda took ticks that start one another for an endless loop, and cut it"
      namespace   = "AWS/Lambda", metric = "RecursiveInvocationsDropped", dimensions = local.tick
      statistic   = "Sum", threshold = 1, periods = 1
    }
    oldest-age = {
      description = "Actions wait too long for a processor: none is active, or all are busy"
      namespace   = "Baton", metric = "OldestInputAge", dimensions = local.tick
      statistic   = "Maximum", threshold = var.alarm_oldest_age_seconds * 1000, periods = 3
    }
    failed-actions = {
      description = "Many failed actions are kept: look at them, and redrive or leave them"
      namespace   = "Baton", metric = "FailedActions", dimensions = local.tick
      statistic   = "Maximum", threshold = var.alarm_failed_actions, periods = 1
    }
    api-5xx = {
      description = "The API answers 5xx"
      namespace   = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = aws_apigatewayv2_api.baton.id }
      statistic   = "Sum", threshold = 5, periods = 3
    }
  }

  schedule_alarms = !var.schedule_enabled ? {} : {
    tick-missing = {
      description = "No tick has run for five minutes: the schedule is off or may not invoke it"
      namespace   = "AWS/Lambda", metric = "Invocations", dimensions = local.tick
      statistic   = "Sum", threshold = 1, periods = 5
    }
  }

  # A node's metrics are its own; a serverless cache is one.
  cache_members = {
    serverless = [{ clusterId = local.cache_name }]
    durable    = [for number in range(1, var.durable_replicas + 2) : { CacheClusterId = "${local.cache_name}-0001-${format("%03d", number)}" }]
    external   = []
  }[var.tier]
  cache_memory = {
    metric    = var.tier == "serverless" ? "BytesUsedForCache" : "DatabaseMemoryUsagePercentage"
    threshold = var.tier == "serverless" ? var.serverless_limits.storage_gb * 850000000 : 85
  }
  cache_alarms = merge([
    for index, dimensions in local.cache_members : {
      "store-memory-${index + 1}" = {
        description = "The store is nearly full: submitting is refused from 80 % on, while actions that are there go on"
        namespace   = "AWS/ElastiCache", metric = local.cache_memory.metric, dimensions = dimensions
        statistic   = "Maximum", threshold = local.cache_memory.threshold, periods = 3
      }
      "store-evictions-${index + 1}" = {
        description = "The store evicts keys, which only those of ended actions may be"
        namespace   = "AWS/ElastiCache", metric = "Evictions", dimensions = dimensions
        statistic   = "Sum", threshold = 1, periods = 1
      }
    }
  ]...)

  alarms = merge(local.baton_alarms, local.schedule_alarms, local.cache_alarms)
}

resource "aws_cloudwatch_metric_alarm" "baton" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  comparison_operator = each.key == "tick-missing" ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"
  treat_missing_data  = each.key == "tick-missing" ? "breaching" : "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
