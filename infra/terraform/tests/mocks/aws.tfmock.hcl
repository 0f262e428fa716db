# What AWS would answer, known at plan already, so that suites see whole plans. ARNs are checked by the provider.

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = {
    id            = "api1"
    api_endpoint  = "https://api1.execute-api.eu-west-1.amazonaws.com"
    execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1"
  }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:baton/keys-a1b2c3" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn        = "arn:aws:lambda:eu-west-1:123456789012:function:mock"
    invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock/invocations"
  }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mock" }
}

mock_resource "aws_vpc" {
  defaults = { id = "vpc-1", ipv6_cidr_block = "2001:db8:1234:1a00::/56" }
}

mock_resource "aws_elasticache_serverless_cache" {
  defaults = { endpoint = [{ address = "serverless.cache.example", port = 6379 }] }
}

mock_resource "aws_elasticache_replication_group" {
  defaults = { configuration_endpoint_address = "durable.cache.example", primary_endpoint_address = null }
}

mock_resource "aws_apigatewayv2_domain_name" {
  defaults = { id = "baton.example.com" }
}

override_resource {
  target = aws_security_group.functions
  values = { id = "sg-functions" }
}

override_resource {
  target = aws_security_group.redis
  values = { id = "sg-redis" }
}

override_resource {
  target = aws_security_group.endpoints
  values = { id = "sg-endpoints" }
}

override_resource {
  target = aws_subnet.private["eu-west-1a"]
  values = { id = "subnet-a" }
}

override_resource {
  target = aws_subnet.private["eu-west-1b"]
  values = { id = "subnet-b" }
}
