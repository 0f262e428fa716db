variable "secret_version" {
  type        = number
  default     = 1
  nullable    = false
  description = "Raise it to write the secret again, which also starts every function anew. Without the five variables of keys and secrets new ones take the place of the old at once: README.md says how to rotate them side by side."

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
    error_message = "Give all five variables of keys and secrets, or none: one that is missing would be made up anew."
  }
}

variable "caller_keys" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "Bearer keys of callers, separated by spaces. Null: one is made up. Read only when `secret_version` is raised."

  validation {
    condition     = var.caller_keys == null || can(regex("^[A-Za-z0-9._~+/=-]{32,512}( [A-Za-z0-9._~+/=-]{32,512})*$", var.caller_keys))
    error_message = "Write keys of 32 to 512 letters, digits and `-._~+/=`; several are separated by one space."
  }
  validation {
    condition     = (var.caller_keys == null) == (var.processor_secrets == null)
    error_message = "Give all five variables of keys and secrets, or none: one that is missing would be made up anew."
  }
}

variable "operator_keys" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "The same for operators, whose keys open everything."

  validation {
    condition     = var.operator_keys == null || can(regex("^[A-Za-z0-9._~+/=-]{32,512}( [A-Za-z0-9._~+/=-]{32,512})*$", var.operator_keys))
    error_message = "Write keys of 32 to 512 letters, digits and `-._~+/=`; several are separated by one space."
  }
  validation {
    condition     = (var.operator_keys == null) == (var.processor_secrets == null)
    error_message = "Give all five variables of keys and secrets, or none: one that is missing would be made up anew."
  }
}

variable "processor_keys" {
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  description = "The same for processors that register."

  validation {
    condition     = var.processor_keys == null || can(regex("^[A-Za-z0-9._~+/=-]{32,512}( [A-Za-z0-9._~+/=-]{32,512})*$", var.processor_keys))
    error_message = "Write keys of 32 to 512 letters, digits and `-._~+/=`; several are separated by one space."
  }
  validation {
    condition     = (var.processor_keys == null) == (var.processor_secrets == null)
    error_message = "Give all five variables of keys and secrets, or none: one that is missing would be made up anew."
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
