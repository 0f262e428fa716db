resource "aws_scheduler_schedule_group" "baton" {
  name = var.name
}

resource "aws_scheduler_schedule" "tick" {
  name                = local.function_names.tick
  description         = "Baton's beat: whatever no nudge has started"
  group_name          = aws_scheduler_schedule_group.baton.name
  schedule_expression = "rate(1 minute)"
  state               = var.schedule_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.lambda["tick"].arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ source = "schedule" })

    # The next beat is never more than a minute away.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}
