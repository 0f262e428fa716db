# What the deployment is, and its functions. The other concerns have files of their own: `variables_*.tf`.

variable "name" {
  type        = string
  default     = "baton"
  nullable    = false
  description = "Name of this deployment: every resource is called by it, so two of one account and region need two."

  validation {
    # A cache's name has at most 40 characters, and the longest suffix here is `-durable`.
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,15}$", var.name)) && length(var.name) <= 24
    error_message = "Write at most 24 small letters, digits and single hyphens, beginning with a letter."
  }
}

variable "region" {
  type        = string
  nullable    = false
  description = "AWS region, as in `eu-west-1`."

  validation {
    condition     = can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Write a region, as in `eu-west-1`."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Further tags of every resource."

  validation {
    condition     = length(var.tags) <= 40 && alltrue([for name in keys(var.tags) : !startswith(lower(name), "aws:")])
    error_message = "Write at most 40 tags, none of which begins with `aws:`."
  }
}

variable "endpoint" {
  type        = string
  default     = null
  description = "URL of a local cloud that takes the place of every AWS service, as in `http://127.0.0.1:4566`. Null is AWS."

  validation {
    condition     = var.endpoint == null || can(regex("^https?://[^/?#@ ]+$", var.endpoint))
    error_message = "Write an http or https URL without a path, as in `http://127.0.0.1:4566`."
  }
}

variable "account_id" {
  type        = string
  default     = null
  description = "Account to plan for without asking AWS whose credentials these are: for a plan without an account. Needs `availability_zones` where a network is made."

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Write the 12 digits of an account."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = null
  description = "Key of yours that encrypts the secret, the logs, the functions' environment and the cache. Its policy must allow CloudWatch Logs. Null: the keys that AWS owns."

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "Write the ARN of a key, not of an alias."
  }
}

variable "package_type" {
  type        = string
  default     = "Zip"
  nullable    = false
  description = "`Zip`: the functions are the files of `package_dir`. `Image`: they are programs of one container image, `image_uri`."

  validation {
    condition     = contains(["Zip", "Image"], var.package_type)
    error_message = "Write `Zip` or `Image`."
  }
}

variable "package_dir" {
  type        = string
  default     = "../../target/lambda"
  nullable    = false
  description = "Directory with a zip for each function of functions.json, where `make package` writes them."

  validation {
    condition = var.package_type != "Zip" || alltrue([
      for name in keys(jsondecode(file("${path.module}/functions.json"))) : fileexists("${var.package_dir}/${name}.zip")
    ])
    error_message = "A function's zip is missing there: run `make package` first."
  }
}

variable "image_uri" {
  type        = string
  default     = null
  description = "Image with every function as `/usr/local/bin/NAME`, in a repository of this account: by digest, so that a deployment is what it was."

  validation {
    condition     = (var.package_type == "Image") == (var.image_uri != null)
    error_message = "`image_uri` goes with package_type `Image`, which needs it."
  }
  validation {
    condition     = var.image_uri == null || can(regex("^[^\\s@]+(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]*)$", var.image_uri))
    error_message = "Write REPOSITORY@sha256:DIGEST or REPOSITORY:TAG."
  }
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  nullable    = false
  description = "Processor of the functions: as they were built."

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Write `x86_64` or `arm64`."
  }
}

variable "reserved_concurrency" {
  type        = map(number)
  default     = null
  description = "Concurrency reserved for functions, by name, which is also their limit. Null reserves none: new accounts have too little, and nothing depends on it."

  validation {
    condition = var.reserved_concurrency == null || alltrue([
      for name, reserved in coalesce(var.reserved_concurrency, {}) :
      contains(keys(jsondecode(file("${path.module}/functions.json"))), name) && reserved >= 1 && floor(reserved) == reserved
    ])
    error_message = "Write whole numbers from 1 on for functions of functions.json."
  }
}

variable "environment" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Settings of Baton from its configuration table, as in `{ BATON_MAX_QUEUED = \"50000\" }`. Not secrets: these are seen by whoever may see the functions."

  validation {
    condition = alltrue([
      for name in keys(var.environment) : can(regex("^BATON_[A-Z_]+$", name)) && !can(regex(
        "^BATON_(BIND|DATA_DIR|PUBLIC_URL|SECRET_ARN|TICK_FUNCTION|REDIS_.*|(PROCESSOR|WEBHOOK)_SECRETS|(CALLER|OPERATOR|PROCESSOR)_KEYS|(PROCESSOR|RESPONSE)_CIDRS)$", name
      ))
    ])
    error_message = "Write BATON_ settings only, and none that other variables here decide or that is secret."
  }
}

variable "nudges_enabled" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether committed work starts tick at once. Without, all work waits for the schedule."
}

variable "schedule_enabled" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether tick runs each minute. Without, nothing repairs, expires or retries unless new work comes."
}
