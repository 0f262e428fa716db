# Who may open a connection to whom. Nothing is let in from outside of the network.

locals {
  # Public addresses are called by https only, on these ports (BATON_EGRESS_PORTS).
  egress_ports = [for port in split(" ", lookup(var.environment, "BATON_EGRESS_PORTS", "443 8443")) : tonumber(port)]
  # A network of one's own may lead to the internet in its own way.
  public_cidrs = {
    created = { none = [], ipv6 = ["::/0"], nat = ["0.0.0.0/0"] }[var.internet]
    given   = ["0.0.0.0/0", "::/0"]
    none    = []
  }[local.network]
  egress = merge(
    merge([
      for cidr in local.public_cidrs : {
        for port in local.egress_ports : "${cidr} ${port}" => { cidr = cidr, from = port, to = port }
      }
    ]...),
    !local.in_vpc ? {} : { for cidr in distinct(concat(var.processor_cidrs, var.response_cidrs)) : cidr => { cidr = cidr, from = 1, to = 65535 } },
  )
}

resource "aws_security_group" "functions" {
  count = local.in_vpc ? 1 : 0

  name        = "${var.name}-functions"
  description = "The functions of Baton"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-functions" }
}

resource "aws_security_group" "redis" {
  count = local.is_elasticache ? 1 : 0

  name        = "${var.name}-redis"
  description = "The store of Baton"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-redis" }
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  count = local.is_elasticache ? 1 : 0

  security_group_id            = aws_security_group.redis[0].id
  description                  = "The functions of Baton"
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
  referenced_security_group_id = aws_security_group.functions[0].id
}

resource "aws_vpc_security_group_egress_rule" "redis" {
  count = local.is_elasticache || var.redis_security_group_id != null ? 1 : 0

  security_group_id            = aws_security_group.functions[0].id
  description                  = "The store of Baton"
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
  referenced_security_group_id = local.is_elasticache ? aws_security_group.redis[0].id : var.redis_security_group_id
}

resource "aws_security_group" "endpoints" {
  count = local.has_endpoints ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "What Baton asks of AWS"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = local.has_endpoints ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "The functions of Baton"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.functions[0].id
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count = local.has_endpoints ? 1 : 0

  security_group_id            = aws_security_group.functions[0].id
  description                  = "What Baton asks of AWS"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints[0].id
}

resource "aws_vpc_security_group_egress_rule" "ipv4" {
  for_each = { for name, rule in local.egress : name => rule if !strcontains(rule.cidr, ":") }

  security_group_id = aws_security_group.functions[0].id
  description       = "Processors and receivers"
  ip_protocol       = "tcp"
  from_port         = each.value.from
  to_port           = each.value.to
  cidr_ipv4         = each.value.cidr
}

resource "aws_vpc_security_group_egress_rule" "ipv6" {
  for_each = { for name, rule in local.egress : name => rule if strcontains(rule.cidr, ":") }

  security_group_id = aws_security_group.functions[0].id
  description       = "Processors and receivers"
  ip_protocol       = "tcp"
  from_port         = each.value.from
  to_port           = each.value.to
  cidr_ipv6         = each.value.cidr
}
