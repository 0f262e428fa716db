locals {
  network         = coalesce(var.network, var.tier == "external" ? "none" : "created")
  in_vpc          = local.network != "none"
  creates_network = local.network == "created"
  has_endpoints   = local.in_vpc && coalesce(var.aws_endpoints, local.creates_network && var.internet != "nat")

  vpc_id     = local.creates_network ? one(aws_vpc.baton[*].id) : var.vpc_id
  subnet_ids = local.creates_network ? values(aws_subnet.private)[*].id : var.subnet_ids

  listed_zones = length(var.availability_zones) > 0 ? var.availability_zones : try(slice(data.aws_availability_zones.here[0].names, 0, 2), [])
  zones        = local.creates_network ? { for index, zone in local.listed_zones : zone => index } : {}
}

data "aws_availability_zones" "here" {
  count = local.creates_network && length(var.availability_zones) == 0 ? 1 : 0

  state = "available"

  # Not the local zones, which have few services.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "baton" {
  count = local.creates_network ? 1 : 0

  cidr_block                       = var.vpc_cidr
  enable_dns_support               = true
  enable_dns_hostnames             = true
  assign_generated_ipv6_cidr_block = var.internet == "ipv6"
  tags                             = { Name = var.name }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.baton[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, each.value)
  ipv6_cidr_block   = var.internet == "ipv6" ? cidrsubnet(aws_vpc.baton[0].ipv6_cidr_block, 8, each.value) : null
  tags              = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  count = local.creates_network ? 1 : 0

  vpc_id = aws_vpc.baton[0].id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[0].id
}

# ---- to AWS itself ----

resource "aws_vpc_endpoint" "aws" {
  for_each = toset(local.has_endpoints ? ["lambda", "secretsmanager"] : [])

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  tags                = { Name = "${var.name}-${each.key}" }

  # For Baton alone: whatever else is in a network that is given has its own ways.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = each.key == "lambda" ? ["lambda:InvokeFunction"] : ["secretsmanager:GetSecretValue"]
      Principal = "*"
      Resource  = each.key == "lambda" ? [local.function_arns.tick] : [aws_secretsmanager_secret.baton.arn]
      Condition = { StringEquals = { "aws:PrincipalAccount" = [local.account_id] } }
    }]
  })
}

# ---- to the internet ----

resource "aws_egress_only_internet_gateway" "baton" {
  count = var.internet == "ipv6" ? 1 : 0

  vpc_id = aws_vpc.baton[0].id
  tags   = { Name = var.name }
}

resource "aws_route" "ipv6" {
  count = var.internet == "ipv6" ? 1 : 0

  route_table_id              = aws_route_table.private[0].id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.baton[0].id
}

resource "aws_internet_gateway" "baton" {
  count = var.internet == "nat" ? 1 : 0

  vpc_id = aws_vpc.baton[0].id
  tags   = { Name = var.name }
}

# One zone's: when it fails, calls out of the network wait and are tried again; nothing is lost.
resource "aws_subnet" "public" {
  count = var.internet == "nat" ? 1 : 0

  vpc_id            = aws_vpc.baton[0].id
  availability_zone = local.listed_zones[0]
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, 15)
  tags              = { Name = "${var.name}-public" }
}

resource "aws_route_table" "public" {
  count = var.internet == "nat" ? 1 : 0

  vpc_id = aws_vpc.baton[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count = var.internet == "nat" ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.baton[0].id
}

resource "aws_route_table_association" "public" {
  count = var.internet == "nat" ? 1 : 0

  subnet_id      = aws_subnet.public[0].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  count = var.internet == "nat" ? 1 : 0

  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "baton" {
  count = var.internet == "nat" ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }

  depends_on = [aws_internet_gateway.baton]
}

resource "aws_route" "nat" {
  count = var.internet == "nat" ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.baton[0].id
}
