resource "aws_secretsmanager_secret" "baton" {
  name                    = "${var.name}/keys"
  description             = "Baton's signing keys, its bearer keys, and the password of its store if it has one"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

# Write-only: neither plan nor state has the text, and it is written only when its version is raised. `uuid()` draws 122
# bits from the system's generator of random numbers, so a key of two has 244, in the 64 bytes that a key may have.
resource "aws_secretsmanager_secret_version" "baton" {
  secret_id = aws_secretsmanager_secret.baton.id
  secret_string_wo = jsonencode(merge(
    {
      BATON_PROCESSOR_SECRETS = var.processor_secrets != null ? var.processor_secrets : "whsec_${base64encode(replace("${uuid()}${uuid()}", "-", ""))}"
      BATON_WEBHOOK_SECRETS   = var.webhook_secrets != null ? var.webhook_secrets : "whsec_${base64encode(replace("${uuid()}${uuid()}", "-", ""))}"
      BATON_CALLER_KEYS       = var.caller_keys != null ? var.caller_keys : replace("${uuid()}${uuid()}", "-", "")
      BATON_OPERATOR_KEYS     = var.operator_keys != null ? var.operator_keys : replace("${uuid()}${uuid()}", "-", "")
      BATON_PROCESSOR_KEYS    = var.processor_keys != null ? var.processor_keys : replace("${uuid()}${uuid()}", "-", "")
    },
    var.redis_password == null ? {} : { REDIS_PASSWORD = var.redis_password },
  ))
  secret_string_wo_version = var.secret_version
}
