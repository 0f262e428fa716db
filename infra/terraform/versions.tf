terraform {
  # Write-only arguments, which keep secrets out of the state, begin with 1.11.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.51 is the first that knows `durability`.
      version = ">= 6.51, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region

  # A local cloud has neither accounts nor instance metadata, and a plan without an account may ask nobody.
  skip_credentials_validation = local.has_no_account
  skip_metadata_api_check     = local.has_no_account
  skip_requesting_account_id  = local.has_no_account

  # Null is AWS itself.
  endpoints {
    acm            = var.endpoint
    apigatewayv2   = var.endpoint
    cloudwatch     = var.endpoint
    ec2            = var.endpoint
    elasticache    = var.endpoint
    iam            = var.endpoint
    lambda         = var.endpoint
    logs           = var.endpoint
    route53        = var.endpoint
    scheduler      = var.endpoint
    secretsmanager = var.endpoint
    sts            = var.endpoint
  }

  default_tags {
    tags = merge({ Application = "baton", Deployment = var.name }, var.tags)
  }
}

data "aws_partition" "here" {}

data "aws_caller_identity" "here" {
  count = var.account_id == null ? 1 : 0
}

locals {
  partition  = data.aws_partition.here.partition
  account_id = coalesce(one(data.aws_caller_identity.here[*].account_id), var.account_id)

  has_no_account = var.endpoint != null || var.account_id != null
  # A cloud on this machine: nothing that is sent to it leaves the machine.
  is_loopback = var.endpoint != null && can(regex("^https?://(127(\\.[0-9]{1,3}){3}|localhost|\\[::1\\])(:[0-9]+)?/?$", var.endpoint))
}
