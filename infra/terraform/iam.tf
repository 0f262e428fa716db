# A role for each function, with what the inventory grants it. ARNs are written from names where names are known, so that
# a plan shows whole policies.

locals {
  # By the words of functions.json. Each is a list of statements, empty where this deployment needs none.
  grants = {
    secret = concat(
      [{
        Sid      = "ReadSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [aws_secretsmanager_secret.baton.arn]
      }],
      [for key in var.kms_key_arn[*] : {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [key]
      }],
    )
    redis = [for login in local.redis_login[*] : {
      Sid      = "LogInToStore"
      Effect   = "Allow"
      Action   = [login.action]
      Resource = login.arns
    }]
  }

  network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  function_policies = {
    for name, function in local.functions : name => {
      Version = "2012-10-17"
      Statement = concat(
        [{
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:${local.log_groups[name]}:log-stream:*"]
        }],
        flatten([for grant in function.grants : local.grants[grant]]),
        [for tick in var.nudges_enabled && function.nudges ? [local.function_arns.tick] : [] : {
          Sid      = "StartTick"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = [tick]
        }],
        # Interfaces have no ARN before Lambda makes them, and it makes them as this role. The function itself may not.
        [for action in local.in_vpc ? [local.network_actions] : [] : {
          Sid      = "AttachToNetwork"
          Effect   = "Allow"
          Action   = action
          Resource = ["*"]
        }],
        [for action in local.in_vpc ? [local.network_actions] : [] : {
          Sid       = "OnlyLambdaAttaches"
          Effect    = "Deny"
          Action    = action
          Resource  = ["*"]
          Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arns[name]] } }
        }],
      )
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name        = local.function_names[each.key]
  description = "What Baton's function ${each.key} may do"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "baton"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode(local.function_policies[each.key])
}

resource "aws_iam_role" "schedule" {
  name        = "${var.name}-schedule"
  description = "What the schedule of Baton's tick may do"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account_id
          "aws:SourceArn"     = "arn:${local.partition}:scheduler:${var.region}:${local.account_id}:schedule-group/${var.name}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "baton"
  role = aws_iam_role.schedule.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "StartTick"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [local.function_arns.tick]
    }]
  })
}
