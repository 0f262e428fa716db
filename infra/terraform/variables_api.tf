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
