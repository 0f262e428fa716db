variable "authorization" {
  type        = string
  default     = "AWS_IAM"
  nullable    = false
  description = "Who may call the API: `AWS_IAM`, who may `execute-api:Invoke` it and signs (but see `open_routes`), or `NONE`, anybody: for a local cloud."

  validation {
    condition     = var.authorization == "AWS_IAM" || (var.authorization == "NONE" && local.is_loopback)
    error_message = "Write `AWS_IAM`. `NONE` is for a local cloud only: `endpoint` must be a URL on this machine's loopback interface. For single routes there is `open_routes`."
  }
}

variable "open_routes" {
  type        = set(string)
  default     = ["POST /complete", "GET /healthz", "GET /readyz"]
  nullable    = false
  description = "Routes that anybody may call without a signature. `POST /complete` has a credential of its own, the attempt's token; add `POST /register` and `DELETE /processors/{id}` for processors that do not sign."

  validation {
    condition = length(setsubtract(var.open_routes, flatten([
      for function in values(jsondecode(file("${path.module}/functions.json"))) : function.routes
    ]))) == 0
    error_message = "Write routes of functions.json, as in `POST /complete`."
  }
}

variable "throttle" {
  type        = object({ rate = number, burst = number })
  default     = { rate = 500, burst = 1000 }
  nullable    = false
  description = "Requests a second that each route of the API takes in the long run, and at once; beyond, it answers 429."

  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst >= 1 && floor(var.throttle.burst) == var.throttle.burst
    error_message = "Write a rate above 0, and a whole burst from 1 on."
  }
}

variable "domain" {
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default     = null
  description = "Domain of your own for the API, with a certificate of ACM in this region; with `zone_id` its alias record is made in that zone of Route 53. The API then has no other URL."

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", try(var.domain.name, "")))
    error_message = "Write a domain name, as in `baton.example.com`."
  }
  validation {
    condition     = var.domain == null || can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", try(var.domain.certificate_arn, "")))
    error_message = "Write the ARN of a certificate of ACM."
  }
}
