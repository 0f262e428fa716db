variable "log_retention_days" {
  type        = number
  default     = 30
  nullable    = false
  description = "For how many days logs are kept."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Write a number of days that CloudWatch Logs knows, as in 30, 90 or 365."
  }
}

variable "alarm_topic_arn" {
  type        = string
  default     = null
  description = "SNS topic that alarms and their ends are sent to. Null: they are only shown."

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alarm_topic_arn))
    error_message = "Write the ARN of an SNS topic."
  }
}

variable "alarm_oldest_age_seconds" {
  type        = number
  default     = 600
  nullable    = false
  description = "Age of the oldest action that waits for a processor, from which on it is an alarm."

  validation {
    condition     = var.alarm_oldest_age_seconds >= 60
    error_message = "Write at least 60: the metric comes once a minute."
  }
}

variable "alarm_failed_actions" {
  type        = number
  default     = 100
  nullable    = false
  description = "Number of failed actions that are kept, from which on it is an alarm."

  validation {
    condition     = var.alarm_failed_actions >= 1
    error_message = "Write at least 1."
  }
}
