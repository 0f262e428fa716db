# The API: every route by name; the functions ask for keys.

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

run "has_every_route_and_no_other" {
  command = plan

  assert {
    condition = { for route in aws_apigatewayv2_route.baton : route.route_key => route.authorization_type } == {
      "POST /action"                 = "NONE"
      "GET /action/{id}"             = "NONE"
      "DELETE /action/{id}"          = "NONE"
      "POST /action/{id}/redeliver"  = "NONE"
      "POST /complete"               = "NONE"
      "POST /register"               = "NONE"
      "DELETE /processors/{id}"      = "NONE"
      "POST /processors/{id}/pause"  = "NONE"
      "POST /processors/{id}/resume" = "NONE"
      "GET /actions"                 = "NONE"
      "POST /failed/redrive"         = "NONE"
      "POST /deliveries/redeliver"   = "NONE"
      "GET /meta"                    = "NONE"
      "GET /metrics"                 = "NONE"
      "GET /healthz"                 = "NONE"
      "GET /readyz"                  = "NONE"
      "GET /"                        = "NONE"
      "GET /dashboard.css"           = "NONE"
      "GET /dashboard.js"            = "NONE"
    }
    error_message = "The API has these routes, none of which catches others, and leaves it to the functions to ask for a key."
  }
  assert {
    condition = alltrue([for integration in aws_apigatewayv2_integration.function :
      integration.payload_format_version == "2.0" && integration.integration_type == "AWS_PROXY" && integration.timeout_milliseconds == 30000
    ]) && toset(keys(aws_apigatewayv2_integration.function)) == toset(["action", "complete", "meta", "operate", "register"])
    error_message = "Each function but tick is behind the API, by the payload format that it reads."
  }
  assert {
    condition     = aws_apigatewayv2_stage.baton.default_route_settings[0].throttling_rate_limit == 500 && aws_apigatewayv2_stage.baton.default_route_settings[0].throttling_burst_limit == 1000
    error_message = "The API is throttled."
  }
  assert {
    condition     = length(aws_apigatewayv2_stage.baton.access_log_settings) == 1 && strcontains(aws_apigatewayv2_stage.baton.access_log_settings[0].format, "$context.requestId")
    error_message = "Each request is logged, with its id."
  }
  assert {
    condition     = length(aws_apigatewayv2_domain_name.baton) == 0 && output.url == "https://api1.execute-api.eu-west-1.amazonaws.com"
    error_message = "Without a domain of one's own the URL is the API's."
  }
}

run "answers_on_a_domain_of_ones_own_alone" {
  command = plan

  variables {
    domain = {
      name            = "baton.example.com"
      certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
      zone_id         = "Z1"
    }
  }

  assert {
    condition     = output.url == "https://baton.example.com" && aws_apigatewayv2_api.baton.disable_execute_api_endpoint
    error_message = "The API has one URL."
  }
  assert {
    condition     = aws_apigatewayv2_domain_name.baton[0].domain_name_configuration[0].security_policy == "TLS_1_2" && aws_route53_record.baton[0].name == "baton.example.com"
    error_message = "The domain speaks TLS 1.2 or later, and its record is made."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.environment[0].variables.BATON_PUBLIC_URL == "https://baton.example.com"])
    error_message = "Processors report to the domain."
  }
}
