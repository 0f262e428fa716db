"""The deployed functions, as the local cloud's own interfaces show them."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import botocore.session
from botocore.config import Config

REGION = "us-east-1"
# Who may do everything in the local cloud.
ROOT = "test"
# How the lines begin that Lambda itself puts around those of an invocation.
PLATFORM = ("START RequestId: ", "END RequestId: ", "REPORT RequestId: ")


class Cloud:
    """Clients of the local cloud."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    @cache  # noqa: B019 - one cloud lives as long as the run
    def client(self, service: str):
        return botocore.session.get_session().create_client(
            service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=ROOT, aws_secret_access_key=ROOT,
            config=Config(retries={"max_attempts": 1}))


class Deployment:
    """One deployment: its URL, and its functions by their short names."""

    def __init__(self, cloud: Cloud, url: str, functions: dict[str, str], secret_arn: str) -> None:
        self.url, self.functions, self.secret_arn = url, functions, secret_arn
        self.functions_of, self.cloud = cloud.client("lambda"), cloud
        self.deployed = {name: self.variables(name) for name in functions}

    def variables(self, name: str) -> dict[str, str]:
        """A function's settings, as they are now."""
        answer = self.functions_of.get_function_configuration(FunctionName=self.functions[name])
        return answer.get("Environment", {}).get("Variables", {})

    def secrets(self) -> dict[str, str]:
        answer = self.cloud.client("secretsmanager").get_secret_value(SecretId=self.secret_arn)
        return json.loads(answer["SecretString"])

    def configure(self, variables: dict[str, str]) -> None:
        """Adds variables to what was deployed. Whatever ran before is replaced by new processes."""
        def update(name: str) -> None:
            merged = self.deployed[name] | variables
            if any(secret in variables for secret in ("BATON_PROCESSOR_SECRETS", "BATON_WEBHOOK_SECRETS")):
                merged.pop("BATON_SECRET_ARN", None)
            self.functions_of.update_function_configuration(
                FunctionName=self.functions[name], Environment={"Variables": merged})

        # Side by side: each waits until the processes of its function have ended.
        with ThreadPoolExecutor() as updates:
            list(updates.map(update, self.deployed))

    def invoke(self, name: str, event: dict) -> None:
        """Asynchronously, as the schedule does it."""
        self.functions_of.invoke(
            FunctionName=self.functions[name], InvocationType="Event", Payload=json.dumps(event).encode())

    def log(self, since_ms: int = 0, names: Iterable[str] | None = None) -> list[str]:
        """What functions have logged, without what Lambda adds. A line is there when its invocation has ended."""
        client, lines = self.cloud.client("logs"), []
        for name in names or self.functions:
            try:
                pages = client.get_paginator("filter_log_events").paginate(
                    logGroupName=f"/aws/lambda/{self.functions[name]}", startTime=since_ms)
                lines += [event["message"].rstrip() for page in pages for event in page["events"]]
            except client.exceptions.ResourceNotFoundException:
                continue  # it has not run yet
        return [line for line in lines if not line.startswith(PLATFORM)]

    def logs(self, lines: int = 60) -> str:
        """The end of each function's log."""
        return "\n".join(f"--- {name} ---\n" + "\n".join(self.log(names=[name])[-lines:]) for name in self.functions)


# Service, call, key of the answer, key of an item: everything that the root could leave behind.
LISTINGS = [
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("apigatewayv2", "get_apis", "Items", "ApiId"),
    ("apigatewayv2", "get_domain_names", "Items", "DomainName"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    ("events", "list_rules", "Rules", "Name"),
    ("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
    ("elasticache", "describe_serverless_caches", "ServerlessCaches", "ServerlessCacheName"),
    ("elasticache", "describe_cache_clusters", "CacheClusters", "CacheClusterId"),
    ("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
    ("elasticache", "describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"),
    ("elasticache", "describe_users", "Users", "UserId"),
    ("elasticache", "describe_user_groups", "UserGroups", "UserGroupId"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
]


def resources(cloud: Cloud) -> set[str]:
    """Everything that stands in the local cloud."""
    found = set()
    for service, call, key, name in LISTINGS:
        client = cloud.client(service)
        pages = client.get_paginator(call).paginate() if client.can_paginate(call) else [getattr(client, call)()]
        for page in pages:
            # A deleted gateway is listed for a while, as one that is gone.
            found |= {f"{service} {key} {item[name]}" for item in page.get(key, []) if item.get("State") != "deleted"}
    return found
