"""Prints information about the template as JSON, for the tests.

    template.py read TEMPLATE               prints the template; !Ref and the like in long form
    template.py adapt TEMPLATE              prints the template as moto supports it
    template.py create TEMPLATE NAME=VALUE  creates a stack in moto, and prints its status and
                                            resources
    template.py serve TEMPLATE NAME=VALUE   the same with moto as a server, until standard input
                                            ends; also prints the address
    template.py messages TEMPLATE EVENTS    prints which of these details of events of AWS Batch
                                            lead to a message, and who gets it
"""

import json
import logging
import os
import sys

import boto3
import requests
from cfnlint.decode import cfn_yaml
from moto import mock_aws
from moto.events.models import EventPattern
from moto.server import ThreadedMotoServer


def read(path):
    return cfn_yaml.load(path)


def adapt(path):
    template = json.loads(json.dumps(read(path)))
    resources = template["Resources"]
    for resource in list(resources.values()):
        if resource["Type"] == "AWS::Batch::ComputeEnvironment":
            # AWS Batch has a default service role; moto has none.
            resource["Properties"]["ServiceRole"] = {"Fn::GetAtt": ["BatchRole", "Arn"]}
    resources["BatchRole"] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {}},
    }
    return template


def create(path, *parameters):
    with mock_aws():
        return stack(path, *parameters)


def serve(path, *parameters):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    # Jobs end when they are submitted, instead of running on this machine's container engine.
    config = {"batch": {"use_docker": False}}
    requests.post(endpoint + "/moto-api/config", json=config).raise_for_status()
    print(json.dumps({"endpoint": endpoint, **stack(path, *parameters)}), flush=True)
    sys.stdin.read()
    sys.exit()


@mock_aws
def messages(path, details):
    queue = stack(path, "NotifyEmail=me@example.com")["outputs"]["JobQueue"]
    events = boto3.client("events")
    rule = events.list_rules()["Rules"][0]
    pattern = EventPattern.load(rule["EventPattern"])
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    topic = boto3.client("sns").list_subscriptions_by_topic(TopicArn=target["Arn"])
    common = {"source": "aws.batch", "detail-type": "Batch Job State Change"}
    return {
        "matched": [
            pattern.matches_event({**common, "detail": {"jobQueue": queue, **detail}})
            for detail in json.loads(details)
        ],
        "receivers": [receiver["Endpoint"] for receiver in topic["Subscriptions"]],
        "text": target["InputTransformer"],
    }


def stack(path, *parameters):
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    given = {"VpcId": vpc, "SubnetIds": ",".join(subnets), "ImageTag": "1.2.3"}
    given.update(parameter.split("=", 1) for parameter in parameters)
    formation = boto3.client("cloudformation")
    formation.create_stack(
        StackName="render",
        TemplateBody=json.dumps(adapt(path)),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
    )
    made = formation.describe_stacks(StackName="render")["Stacks"][0]
    batch = boto3.client("batch")
    definitions = batch.describe_job_definitions()["jobDefinitions"]
    queues = batch.describe_job_queues()["jobQueues"]
    environments = batch.describe_compute_environments()["computeEnvironments"]
    return {
        "status": made["StackStatus"],
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]},
        "definitions": sorted(definition["jobDefinitionName"] for definition in definitions),
        "images": sorted({d["containerProperties"]["image"] for d in definitions}),
        "queues": len(queues),
        "environments": sorted(e["computeResources"]["type"] for e in environments),
    }


os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1"
)
actions = {"read": read, "adapt": adapt, "create": create, "serve": serve, "messages": messages}
print(json.dumps(actions[sys.argv[1]](*sys.argv[2:]), default=str))
