locals {
  routes = merge([
    for name, function in local.functions : { for route in function.routes : route => name }
  ]...)

  # A local cloud answers for all APIs on one port, by their ids.
  url = (
    var.domain != null ? "https://${var.domain.name}" :
    var.endpoint != null ? "${trimsuffix(var.endpoint, "/")}/_aws/execute-api/${aws_apigatewayv2_api.baton.id}/$default" :
    aws_apigatewayv2_api.baton.api_endpoint
  )
}

resource "aws_apigatewayv2_api" "baton" {
  name                         = var.name
  description                  = "Baton"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = toset(values(local.routes))

  api_id                 = aws_apigatewayv2_api.baton.id
  integration_type       = "AWS_PROXY"
  integration_uri        = local.lambda[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

# Every route by name: a path that Baton does not have costs no invocation. The functions themselves ask for a bearer key,
# in the header that a signature would be in.
resource "aws_apigatewayv2_route" "baton" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.baton.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.function[each.value].id}"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "baton" {
  api_id      = aws_apigatewayv2_api.baton.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      time        = "$context.requestTime"
      request_id  = "$context.requestId"
      route       = "$context.routeKey"
      path        = "$context.path"
      status      = "$context.status"
      latency_ms  = "$context.responseLatency"
      function_ms = "$context.integrationLatency"
      source_ip   = "$context.identity.sourceIp"
      caller      = "$context.identity.userArn"
      bytes       = "$context.responseLength"
      error       = "$context.error.message"
      integration = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "api" {
  for_each = toset(values(local.routes))

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = local.lambda[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.baton.execution_arn}/*/*"
}

resource "aws_apigatewayv2_domain_name" "baton" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "baton" {
  count = var.domain == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.baton.id
  domain_name = aws_apigatewayv2_domain_name.baton[0].id
  stage       = aws_apigatewayv2_stage.baton.id
}

resource "aws_route53_record" "baton" {
  count = try(var.domain.zone_id, null) == null ? 0 : 1

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.baton[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.baton[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
