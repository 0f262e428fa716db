variable "secret_version" {
  type        = number
  default     = 1
  nullable    = false
  description = "Raise it to write the secret again, which also starts every function anew. Without `processor_secrets` and `webhook_secrets` new keys take the place of the old at once: README.md says how to rotate them side by side."

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "Write a whole number from 1 on."
  }
}

variable "processor_secrets" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "Keys that sign calls to processors, `whsec_…`, separated by spaces, newest first. Null: one is made up. Read only when `secret_version` is raised."

  validation {
    condition     = var.processor_secrets == null || can(regex("^whsec_[A-Za-z0-9+/]{32,86}={0,2}( whsec_[A-Za-z0-9+/]{32,86}={0,2})*$", var.processor_secrets))
    error_message = "Write `whsec_` and the base64 of 24 to 64 random bytes; several are separated by one space."
  }
}

variable "webhook_secrets" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "The same for deliveries."

  validation {
    condition     = var.webhook_secrets == null || can(regex("^whsec_[A-Za-z0-9+/]{32,86}={0,2}( whsec_[A-Za-z0-9+/]{32,86}={0,2})*$", var.webhook_secrets))
    error_message = "Write `whsec_` and the base64 of 24 to 64 random bytes; several are separated by one space."
  }
  validation {
    condition     = (var.webhook_secrets == null) == (var.processor_secrets == null)
    error_message = "Give both `processor_secrets` and `webhook_secrets`, or none: one that is missing would be made up anew."
  }
}

variable "secret_recovery_days" {
  type        = number
  default     = 7
  nullable    = false
  description = "For how many days a destroyed secret can be brought back; its name is taken as long. 0 removes it at once."

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "Write 0, or 7 to 30."
  }
}
