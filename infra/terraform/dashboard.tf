locals {
  # Each: a title, and metrics as CloudWatch writes them: namespace, name, dimension's name and value.
  graphs = concat(
    [
      {
        title = "Actions that wait, by queue"
        stat  = "Maximum"
        metrics = [
          for metric in ["InputActions", "PendingActions", "DelayedActions", "OutputActions", "FailedActions"] :
          ["Baton", metric, "FunctionName", local.function_names.tick]
        ]
      },
      {
        title   = "Age of the oldest action that waits, ms"
        stat    = "Maximum"
        metrics = [["Baton", "OldestInputAge", "FunctionName", local.function_names.tick]]
      },
      {
        title = "Work of the ticks"
        stat  = "Sum"
        metrics = [
          for metric in ["Dispatches", "Deliveries", "LapsedAttempts", "ExpiredActions", "RepairedRecords"] :
          ["Baton", metric, "FunctionName", local.function_names.tick]
        ]
      },
      {
        title   = "Requests of the API"
        stat    = "Sum"
        metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.baton.id]]
      },
      {
        title   = "Latency of the API, ms (p95)"
        stat    = "p95"
        metrics = [for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.baton.id]]
      },
      {
        title   = "Errors and throttles of the functions"
        stat    = "Sum"
        metrics = flatten([for function in values(local.function_names) : [for metric in ["Errors", "Throttles"] : [["AWS/Lambda", metric, "FunctionName", function]]]])
      },
    ],
    length(local.cache_members) == 0 ? [] : [{
      title   = "Memory of the store"
      stat    = "Maximum"
      metrics = [for member in local.cache_members : concat(["AWS/ElastiCache", local.cache_memory.metric], flatten([for name, value in member : [name, value]]))]
    }],
  )
}

resource "aws_cloudwatch_dashboard" "baton" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, graph in local.graphs : {
        type   = "metric"
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        width  = 12
        height = 6
        properties = {
          title   = graph.title
          region  = var.region
          view    = "timeSeries"
          stat    = graph.stat
          period  = 60
          metrics = graph.metrics
        }
      }
    ]
  })
}
