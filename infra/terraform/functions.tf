locals {
  # The one inventory, which the code's tests read too: routes, sizes and grants of each function.
  functions = jsondecode(file("${path.module}/functions.json"))

  function_names = { for name in keys(local.functions) : name => "${var.name}-${name}" }
  function_arns = {
    for name, function_name in local.function_names :
    name => "arn:${local.partition}:lambda:${var.region}:${local.account_id}:function:${function_name}"
  }

  environment = merge(
    var.environment,
    {
      REDIS_URL             = local.redis_url
      BATON_PUBLIC_URL      = local.url
      BATON_SECRET_ARN      = aws_secretsmanager_secret.baton.arn
      BATON_PROCESSOR_CIDRS = join(" ", var.processor_cidrs)
      BATON_RESPONSE_CIDRS  = join(" ", var.response_cidrs)
      # Read by nobody: another value makes Lambda start every function anew, and so read the secret again.
      SECRET_VERSION = tostring(var.secret_version)
    },
    local.redis_login == null ? {} : {
      BATON_REDIS_IAM_USER  = local.redis_login.user
      BATON_REDIS_IAM_CACHE = local.redis_login.cache
      BATON_REDIS_IAM_KIND  = local.redis_login.kind
    },
    local.redis_durability == null ? {} : { BATON_REDIS_DURABILITY = local.redis_durability },
  )

  # What both package types have.
  function_settings = {
    for name, function in local.functions : name => {
      description = name == "tick" ? "The scheduler of Baton" : "Baton: ${join(", ", function.routes)}"
      memory_mb   = function.memory_mb
      timeout_s   = function.timeout_s
      reserved    = var.reserved_concurrency == null ? -1 : lookup(var.reserved_concurrency, name, -1)
      environment = merge(
        local.environment,
        var.nudges_enabled && function.nudges ? { BATON_TICK_FUNCTION = local.function_names.tick } : {},
      )
    }
  }
  vpc_configs = local.in_vpc ? [{ subnet_ids = local.subnet_ids, security_group_ids = aws_security_group.functions[*].id }] : []

  lambda = merge(aws_lambda_function.zip, aws_lambda_function.image)
}

# The two package types exclude each other's arguments, so each is a resource of its own; one of the two has no instances.
# Neither may start before it may write its log and read its secret: its first requests would fail.

resource "aws_lambda_function" "zip" {
  for_each = var.package_type == "Zip" ? local.function_settings : {}

  package_type     = "Zip"
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  filename         = "${var.package_dir}/${each.key}.zip"
  source_code_hash = filebase64sha256("${var.package_dir}/${each.key}.zip")

  function_name                  = local.function_names[each.key]
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  architectures                  = [var.architecture]
  memory_size                    = each.value.memory_mb
  timeout                        = each.value.timeout_s
  reserved_concurrent_executions = each.value.reserved
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = each.value.environment
  }

  logging_config {
    # The functions write JSON themselves, and the metrics among it must stay as they are.
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  dynamic "vpc_config" {
    for_each = local.vpc_configs
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = var.internet == "ipv6"
    }
  }

  depends_on = [aws_iam_role_policy.function, aws_secretsmanager_secret_version.baton]
}

resource "aws_lambda_function" "image" {
  for_each = var.package_type == "Image" ? local.function_settings : {}

  package_type = "Image"
  image_uri    = var.image_uri

  image_config {
    entry_point = ["/usr/local/bin/${each.key}"]
  }

  function_name                  = local.function_names[each.key]
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  architectures                  = [var.architecture]
  memory_size                    = each.value.memory_mb
  timeout                        = each.value.timeout_s
  reserved_concurrent_executions = each.value.reserved
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = each.value.environment
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  dynamic "vpc_config" {
    for_each = local.vpc_configs
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = var.internet == "ipv6"
    }
  }

  depends_on = [aws_iam_role_policy.function, aws_secretsmanager_secret_version.baton]
}

# A tick that fails or waits too long is left to the next beat: a second run of an old one helps nobody.
resource "aws_lambda_function_event_invoke_config" "tick" {
  function_name                = local.lambda["tick"].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
