variable "network" {
  type        = string
  default     = null
  description = "Where the functions run: `created` (a VPC made here), `given` (`vpc_id` and `subnet_ids`) or `none` (outside of any VPC, where the internet is at hand). Null: `none` for the tier `external`, else `created`."

  validation {
    condition     = var.network == null || contains(["created", "given", "none"], coalesce(var.network, "none"))
    error_message = "Write `created`, `given` or `none`."
  }
  validation {
    condition     = var.network != "none" || var.tier == "external"
    error_message = "A cache of this tier is in a VPC: write `created` or `given`."
  }
}

variable "vpc_id" {
  type        = string
  default     = null
  description = "VPC of the network `given`."

  validation {
    condition     = (var.network == "given") == (var.vpc_id != null)
    error_message = "`vpc_id` goes with the network `given`, which needs it."
  }
}

variable "subnet_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Private subnets of the network `given`, each in another zone."

  validation {
    condition     = var.network == "given" ? length(distinct(var.subnet_ids)) >= 2 : length(var.subnet_ids) == 0
    error_message = "`subnet_ids` goes with the network `given`, which needs two or more."
  }
  validation {
    condition     = var.tier != "serverless" || length(var.subnet_ids) <= 3
    error_message = "A serverless cache takes two or three subnets."
  }
}

variable "vpc_cidr" {
  type        = string
  default     = "10.90.0.0/20"
  nullable    = false
  description = "Addresses of the network `created`: at least a /24."

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, false)
    error_message = "Write a network of /16 to /24, as in `10.90.0.0/20`."
  }
}

variable "availability_zones" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Zones of the network `created`, two or more. Empty: the first two that AWS names. The tier `serverless` is not in every zone of every region."

  validation {
    condition     = length(var.availability_zones) == 0 ? var.account_id == null || !local.creates_network : length(distinct(var.availability_zones)) >= 2
    error_message = "Write two or more zones; with `account_id` AWS is not asked for them."
  }
  validation {
    condition     = length(var.availability_zones) <= (var.tier == "serverless" ? 3 : 15)
    error_message = "Write at most 15 zones, and for a serverless cache at most three."
  }
}

variable "internet" {
  type        = string
  default     = "none"
  nullable    = false
  description = "How functions of a network that is `created` reach what is outside of it: `none` (processors and receivers are inside), `ipv6` (those that have an IPv6 address, at no charge) or `nat` (all, at a charge by the hour)."

  validation {
    condition     = contains(["none", "ipv6", "nat"], var.internet) && (var.internet == "none" || local.creates_network)
    error_message = "Write `none` or, for the network `created`, `ipv6` or `nat`."
  }
}

variable "aws_endpoints" {
  type        = bool
  default     = null
  description = "Whether the network gets endpoints for Secrets Manager and Lambda, which functions without NAT need. Null: where a network without NAT is created."
}

variable "processor_cidrs" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Networks where processors may be by private address, also by http and on any port. Elsewhere only public addresses by https."

  validation {
    condition     = alltrue([for cidr in var.processor_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Write networks, as in `10.90.0.0/20`."
  }
}

variable "response_cidrs" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "The same for response URLs."

  validation {
    condition     = alltrue([for cidr in var.response_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Write networks, as in `10.90.0.0/20`."
  }
}
