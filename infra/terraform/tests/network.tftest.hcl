# Networks: one that is given, and ways out of one that is made.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "eu-west-1"
  tier   = "serverless"
}

run "uses_a_network_that_is_given" {
  command = plan

  variables {
    network         = "given"
    vpc_id          = "vpc-9"
    subnet_ids      = ["subnet-8", "subnet-9"]
    processor_cidrs = ["10.0.0.0/8", "fd00::/8"]
  }

  assert {
    condition     = length(aws_vpc.baton) + length(aws_subnet.private) + length(aws_route_table.private) + length(aws_nat_gateway.baton) + length(aws_vpc_endpoint.aws) == 0
    error_message = "Nothing is made in a network that is given, unless somebody says so."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.zip :
      function.vpc_config[0].subnet_ids == toset(["subnet-8", "subnet-9"]) && function.vpc_config[0].security_group_ids == toset(["sg-functions"])
    ])
    error_message = "The functions are in it."
  }
  assert {
    condition     = aws_elasticache_serverless_cache.baton[0].subnet_ids == toset(["subnet-8", "subnet-9"]) && alltrue([for group in concat(aws_security_group.functions, aws_security_group.redis) : group.vpc_id == "vpc-9"])
    error_message = "So is the cache."
  }
  assert {
    condition     = toset(values(aws_vpc_security_group_egress_rule.ipv4)[*].cidr_ipv4) == toset(["0.0.0.0/0", "10.0.0.0/8"]) && toset(values(aws_vpc_security_group_egress_rule.ipv6)[*].cidr_ipv6) == toset(["::/0", "fd00::/8"])
    error_message = "The functions may call processors, and receivers by whatever way out the network has."
  }
  assert {
    condition     = alltrue([for rule in values(aws_vpc_security_group_egress_rule.ipv4) : rule.cidr_ipv4 != "0.0.0.0/0" || contains([443, 8443], rule.from_port) && rule.from_port == rule.to_port])
    error_message = "Public addresses are called by https only."
  }
  assert {
    condition     = aws_lambda_function.zip["tick"].environment[0].variables.BATON_PROCESSOR_CIDRS == "10.0.0.0/8 fd00::/8"
    error_message = "What the network lets out, Baton must call."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.redis) == 1 && aws_vpc_security_group_ingress_rule.redis[0].referenced_security_group_id == "sg-functions" && aws_vpc_security_group_ingress_rule.redis[0].cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.redis[0].cidr_ipv6 == null
    error_message = "Nothing but the functions is let in."
  }
}

run "reaches_the_internet_by_nat" {
  command = plan

  variables {
    internet = "nat"
  }

  assert {
    condition     = length(aws_nat_gateway.baton) == 1 && aws_route.nat[0].destination_cidr_block == "0.0.0.0/0" && length(aws_vpc_endpoint.aws) == 0
    error_message = "NAT leads to AWS too, without endpoints."
  }
  assert {
    condition     = aws_subnet.private["eu-west-1a"].cidr_block == "10.90.0.0/24" && aws_subnet.private["eu-west-1b"].cidr_block == "10.90.1.0/24" && aws_subnet.public[0].cidr_block == "10.90.15.0/24"
    error_message = "Networks do not overlap."
  }
  assert {
    condition     = toset([for rule in values(aws_vpc_security_group_egress_rule.ipv4) : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"]) == toset(["0.0.0.0/0 443-443", "0.0.0.0/0 8443-8443"])
    error_message = "Public addresses are called by https only."
  }
  assert {
    condition     = !coalesce(aws_subnet.public[0].map_public_ip_on_launch, false)
    error_message = "Nothing but NAT has a public address."
  }
}

run "reaches_the_internet_by_ipv6" {
  command = plan

  variables {
    internet = "ipv6"
  }

  assert {
    condition     = aws_route.ipv6[0].destination_ipv6_cidr_block == "::/0" && length(aws_nat_gateway.baton) + length(aws_internet_gateway.baton) == 0
    error_message = "A gateway that only lets out, and costs nothing."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.zip : function.vpc_config[0].ipv6_allowed_for_dual_stack]) && aws_subnet.private["eu-west-1b"].ipv6_cidr_block == "2001:db8:1234:1a01::/64"
    error_message = "The functions have IPv6 addresses."
  }
  assert {
    condition     = toset(keys(aws_vpc_endpoint.aws)) == toset(["lambda", "secretsmanager"]) && length(aws_vpc_security_group_egress_rule.ipv4) == 0
    error_message = "AWS itself is reached by endpoints."
  }
}
