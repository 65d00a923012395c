"""What is in the template, as JSON on standard output, for the tests.

    template.py read TEMPLATE               its resources; !Ref and the like in their long form
    template.py create TEMPLATE NAME=VALUE  a stack of it in moto: its status and its resources
"""

import json
import os
import sys

from cfnlint.decode import cfn_yaml


def read(path):
    return cfn_yaml.load(path)


def create(path, *parameters):
    os.environ.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1"
    )
    import boto3
    from moto import mock_aws

    with mock_aws():
        ec2 = boto3.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
        role = boto3.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        template = json.loads(json.dumps(read(path)))
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Batch::ComputeEnvironment":
                # AWS Batch has one of its own where none is named; moto does not.
                resource["Properties"]["ServiceRole"] = role["Role"]["Arn"]
        given = {"VpcId": vpc, "SubnetIds": ",".join(subnets), "ImageTag": "1.2.3"}
        given.update(parameter.split("=", 1) for parameter in parameters)
        formation = boto3.client("cloudformation")
        formation.create_stack(
            StackName="render",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        )
        stack = formation.describe_stacks(StackName="render")["Stacks"][0]
        batch = boto3.client("batch")
        definitions = batch.describe_job_definitions()["jobDefinitions"]
        queues = batch.describe_job_queues()["jobQueues"]
        environments = batch.describe_compute_environments()["computeEnvironments"]
        return {
            "status": stack["StackStatus"],
            "outputs": sorted(output["OutputKey"] for output in stack["Outputs"]),
            "definitions": sorted(definition["jobDefinitionName"] for definition in definitions),
            "images": sorted({d["containerProperties"]["image"] for d in definitions}),
            "queues": len(queues),
            "environments": sorted(e["computeResources"]["type"] for e in environments),
        }


actions = {"read": read, "create": create}
print(json.dumps(actions[sys.argv[1]](*sys.argv[2:]), default=str))
