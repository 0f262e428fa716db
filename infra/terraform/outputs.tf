output "url" {
  description = "Where callers and processors reach Baton."
  value       = local.url
}

output "function_names" {
  description = "The functions, by their names in functions.json."
  value       = local.function_names
}

output "function_log_groups" {
  description = "The functions' log groups, by the same names."
  value       = local.log_groups
}

output "api_log_group" {
  description = "Where the API's access log is."
  value       = aws_cloudwatch_log_group.api.name
}

output "secret_arn" {
  description = "The secret with the bearer keys, and the signing keys that processors and receivers verify with."
  value       = aws_secretsmanager_secret.baton.arn
}

output "redis_url" {
  description = "The store, without credentials."
  value       = local.redis_url
}

output "vpc_id" {
  description = "The network of the functions, if they are in one."
  value       = local.in_vpc ? local.vpc_id : null
}

output "security_group_id" {
  description = "Security group of the functions, if they are in a network: processors in it must let it in."
  value       = one(aws_security_group.functions[*].id)
}

output "domain_target" {
  description = "Where a record of the domain must point, if there is one and its zone is elsewhere."
  value       = one(aws_apigatewayv2_domain_name.baton[*].domain_name_configuration[0].target_domain_name)
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.baton.dashboard_name
}
